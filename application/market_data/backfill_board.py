"""Where backfills are read and changed, so that whoever watches one hears of it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from weakref import WeakValueDictionary

from application.market_data.backfill import Backfill
from application.ports.backfills import BackfillStore
from domain.errors import NotFound

_LOOK_SECONDS = 1.0
"""Of what another process runs there is no word: it is looked at again."""


class BackfillBoard:
    """Nothing is shown that is not stored."""

    def __init__(self, store: BackfillStore) -> None:
        self.store = store
        self._changes: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()

    async def get(self, backfill_id: str) -> Backfill:
        """Raises NotFound: BACKFILL_NOT_FOUND."""
        found = await self.store.get(backfill_id)
        if found is None:
            raise NotFound(
                f"backfill_id: there is no backfill {backfill_id!r}",
                reason="BACKFILL_NOT_FOUND",
                backfill_id=backfill_id,
            )
        return found

    async def save(self, backfill: Backfill) -> Backfill | None:
        """`backfill`, which was changed, as the next version; None when somebody else has changed it meanwhile."""
        changed = replace(backfill, version=backfill.version + 1)
        if not await self.store.save(changed):
            return None
        change = self._changes.pop(backfill.backfill_id, None)
        if change is not None:
            change.set()
        return changed

    async def follow(self, backfill_id: str) -> AsyncIterator[Backfill]:
        """It as it is now and after changes until it has ended; one who is slow sees the newest, not each.

        Raises NotFound: BACKFILL_NOT_FOUND.
        """
        shown: Backfill | None = None
        while shown is None or not shown.ended:
            change = self._changes.setdefault(backfill_id, asyncio.Event())
            found = _visible(await self.get(backfill_id))
            if found != shown:
                shown = found
                yield found
            else:
                await _within(_LOOK_SECONDS, change)


def _visible(backfill: Backfill) -> Backfill:
    """Without what only its runners look at."""
    return replace(backfill, version=0, owner="", owned_until=None)


async def _within(seconds: float, change: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await change.wait()
    except TimeoutError:
        pass
