"""Who takes up backfills, also those that an earlier process has left, and brings them to their end."""

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta

from application.market_data.backfill import Backfill
from application.market_data.backfill_board import BackfillBoard
from application.market_data.backfill_run import BackfillPace, BackfillRun, Superseded
from application.market_data.market import Market
from application.ports.backfills import BackfillStore
from application.ports.clock import Clock
from application.ports.ids import IdGenerator
from domain.errors import Unavailable

_RELEASE_SECONDS = 2.0

_log = logging.getLogger(__name__)


class BackfillRunner:
    """Several processes may have a runner on one store: a backfill is run by the one that owns it. One whose owner no
    longer renews that, because its process has died, is taken over. `accepting` is held by who adds to the queue.
    """

    def __init__(
        self,
        market: Market,
        store: BackfillStore,
        clock: Clock,
        ids: IdGenerator,
        pace: BackfillPace | None = None,
    ) -> None:
        self.market = market
        self.board = BackfillBoard(store)
        self.ids = ids
        self.pace = pace or BackfillPace()
        self.accepting = asyncio.Lock()
        self._clock = clock
        self._owner = ids.new_id()
        self._owning = timedelta(seconds=self.pace.own_seconds)
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._turns: dict[str, asyncio.Lock] = {}
        self._look = asyncio.Event()
        self._tending: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._tending = asyncio.create_task(self._tend(), name="backfills")

    async def stop(self) -> None:
        """End what runs here; it stays RUNNING, and goes on when a runner takes it up."""
        tending, self._tending = self._tending, None
        runs = dict(self._runs)
        for task in (*runs.values(), *([tending] if tending else [])):
            task.cancel()
        await asyncio.gather(*runs.values(), *([tending] if tending else []), return_exceptions=True)
        # Should that fail, others wait until the ownership has run out.
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(_RELEASE_SECONDS):
                await asyncio.gather(*map(self._release, runs))

    def wake(self) -> None:
        """There may be something to take up."""
        self._look.set()

    def drop(self, backfill_id: str) -> None:
        """It was canceled."""
        run = self._runs.get(backfill_id)
        if run is not None:
            run.cancel()

    async def _tend(self) -> None:
        while True:
            self._look.clear()
            try:
                await self._take_up()
            except Unavailable as error:
                _log.warning("backfills wait for the store: %s", error.__cause__ or error)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.pace.look_seconds):
                    await self._look.wait()

    async def _take_up(self) -> None:
        for backfill in await self.board.store.unfinished():
            if len(self._runs) >= self.pace.at_once:
                break
            if backfill.backfill_id not in self._runs and self._may_take(backfill):
                await self._take(backfill)

    def _may_take(self, backfill: Backfill) -> bool:
        return backfill.owner == self._owner or backfill.free_at(self._clock.now(), self._owning)

    async def _take(self, backfill: Backfill) -> None:
        now = self._clock.now()
        taken = await self.board.save(backfill.taken(self._owner, now + self._owning, now))
        if taken is not None:
            run = BackfillRun(taken, self.board, self.market, self.pace, self._turns)
            task = asyncio.create_task(self._bring_to_end(run), name=f"backfill {backfill.backfill_id}")
            self._runs[backfill.backfill_id] = task

    async def _bring_to_end(self, run: BackfillRun) -> None:
        backfill_id = run.backfill.backfill_id
        try:
            await run.run()
        except Superseded:
            _log.info("backfill %s was canceled, or is run elsewhere", backfill_id)
        except Unavailable as error:
            _log.warning("backfill %s waits for the store: %s", backfill_id, error.__cause__ or error)
            await asyncio.sleep(self.pace.look_seconds)
        except Exception:
            _log.exception("a defect in backfill %s", backfill_id)
            await asyncio.sleep(self.pace.look_seconds)
        finally:
            del self._runs[backfill_id]
            self.wake()

    async def _release(self, backfill_id: str) -> None:
        backfill = await self.board.store.get(backfill_id)
        if backfill is not None and backfill.owner == self._owner:
            await self.board.save(backfill.released())
