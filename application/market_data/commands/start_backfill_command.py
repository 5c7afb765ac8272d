"""Start to fetch bars into the store."""

import asyncio
from dataclasses import dataclass
from itertools import islice

from application.market_data.backfill import Backfill, BackfillTerms
from application.market_data.backfill_runner import BackfillRunner
from application.market_data.source import Source
from domain.errors import AlreadyExists, DomainError, InvalidArgument, NotFound, PreconditionFailed, Throttled

_ASKED_AT_ONCE = 50
_FULL_RETRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class StartBackfill:
    """Of all instruments or of none. `backfill_id` empty: one is made.

    Raises AlreadyExists: JOB_ALREADY_EXISTS; Throttled: QUEUE_FULL; NotFound: INSTRUMENT_NOT_FOUND,
    PROVIDER_NOT_FOUND; PreconditionFailed: PROVIDER_NOT_CAPABLE, PROVIDER_NOT_CONFIGURED; InvalidArgument for a range
    that has not begun; Unavailable.
    """

    backfill_id: str
    terms: BackfillTerms

    async def carry_out(self, runner: BackfillRunner) -> Backfill:
        known = await runner.board.store.get(self.backfill_id) if self.backfill_id else None
        if known is not None:
            return self._same(known)
        backfill = self._begun(runner)
        await self._require_all(runner)
        async with runner.accepting:
            if len(await runner.board.store.unfinished()) >= runner.pace.most_unfinished:
                raise _queue_full(runner.pace.most_unfinished)
            added = await runner.board.store.add(backfill)
        if not added:
            return self._same(await runner.board.get(backfill.backfill_id))
        runner.wake()
        return backfill

    def _same(self, known: Backfill) -> Backfill:
        if known.terms != self.terms:
            raise AlreadyExists(
                f"backfill_id: {self.backfill_id!r} is a backfill with other content",
                reason="JOB_ALREADY_EXISTS",
                backfill_id=self.backfill_id,
            )
        return known

    def _begun(self, runner: BackfillRunner) -> Backfill:
        now = runner.market.clock.now()
        end = self.terms.end or now
        if end <= self.terms.start:
            raise InvalidArgument("start_time", "must be earlier than now where there is no end_time")
        return Backfill(self.backfill_id or runner.ids.new_id(), self.terms, end, created_time=now, updated_time=now)

    async def _require_all(self, runner: BackfillRunner) -> None:
        """Raise for the first instrument that is not there, or whose provider cannot do it."""
        places = iter(enumerate(self.terms.symbols))
        while some := list(islice(places, _ASKED_AT_ONCE)):
            found = await runner.market.look_up((symbol for _, symbol in some), self.terms.provider)
            for (place, _), source in zip(some, found, strict=True):
                self._require(f"symbols[{place}]", source)
            await asyncio.sleep(0)

    def _require(self, field: str, source: Source | DomainError) -> None:
        try:
            if isinstance(source, DomainError):
                raise source
            source.require_bars(self.terms.interval, self.terms.adjustment, self.terms.extended_hours)
        except NotFound as error:
            told = error.message.removeprefix("symbol: ")
            raise NotFound(f"{field}: {told}", reason=error.reason, **error.metadata) from None
        except PreconditionFailed as error:
            told = f"{field}: {error.message}"
            raise PreconditionFailed(told, error.violations, reason=error.reason, **error.metadata) from None


def _queue_full(most: int) -> Throttled:
    told = f"{most} backfills have not ended: repeat the request when one has"
    return Throttled(told, _FULL_RETRY_SECONDS, reason="QUEUE_FULL")
