"""A backfill: bars that are fetched into the store, on and on, until all are there."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from application.market_data.backfill_failure import BackfillFailure
from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.terms import Term

_PLACES = Decimal("0.000001")
_INSTANT = timedelta(microseconds=1)


class BackfillState(Term):
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


@dataclass(frozen=True, slots=True)
class BackfillTerms:
    """What was asked for. `end` None: the moment of asking. `provider` empty: each instrument's own."""

    symbols: tuple[str, ...]
    interval: BarInterval
    start: datetime
    end: datetime | None = None
    adjustment: PriceAdjustment = PriceAdjustment.RAW
    provider: str = ""
    extended_hours: bool = False


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill as it stands. Its range ends at `end`, exclusive.

    `settled`: the instruments of which all is stored that there is; `reached`: up to where it is of others that were
    begun. `version` counts the changes. Who runs it is its `owner`, as long as it renews that before `owned_until`.
    """

    backfill_id: str
    terms: BackfillTerms
    end: datetime
    created_time: datetime
    updated_time: datetime
    state: BackfillState = BackfillState.PENDING
    settled: tuple[str, ...] = ()
    reached: Mapping[str, datetime] = field(default_factory=dict)
    stored_bars: int = 0
    current_symbol: str = ""
    failures: tuple[BackfillFailure, ...] = ()
    finished_time: datetime | None = None
    version: int = 0
    owner: str = ""
    owned_until: datetime | None = None

    @property
    def ended(self) -> bool:
        return self.finished_time is not None

    @property
    def progress(self) -> Decimal:
        """The share of all instruments' ranges that is settled, 0 to 1, rounded down to 6 places."""
        length = (self.end - self.terms.start) // _INSTANT
        done = len(self.settled) * length + sum((at - self.terms.start) // _INSTANT for at in self.reached.values())
        return (Decimal(done) / (len(self.terms.symbols) * length)).quantize(_PLACES, ROUND_DOWN)

    def reached_by(self, symbol: str) -> datetime:
        return self.reached.get(symbol, self.terms.start)

    def fetching(self, symbol: str, now: datetime) -> "Backfill":
        return replace(self, current_symbol=symbol, updated_time=now)

    def advanced(self, symbol: str, until: datetime, stored: int, now: datetime) -> "Backfill":
        """With `stored` more bars, and `symbol` settled up to `until`."""
        reached = {**self.reached, symbol: until}
        settled = self.settled
        if until >= self.end:
            del reached[symbol]
            settled = (*settled, symbol)
        return replace(self, reached=reached, settled=settled, stored_bars=self.stored_bars + stored, updated_time=now)

    def failed(self, why: BackfillFailure, now: datetime) -> "Backfill":
        """Without an instrument that could not be fetched."""
        return replace(self, failures=(*self.failures, why), updated_time=now)

    def finished(self, state: BackfillState, now: datetime) -> "Backfill":
        ended = replace(self, state=state, current_symbol="", finished_time=now, updated_time=now)
        return ended.released()

    def resumed(self, now: datetime) -> "Backfill":
        """Waiting again, for what is not settled."""
        return replace(self, state=BackfillState.PENDING, failures=(), finished_time=None, updated_time=now)

    def taken(self, owner: str, until: datetime, now: datetime) -> "Backfill":
        """Run by `owner`, at least until then."""
        updated = self.updated_time if self.state is BackfillState.RUNNING else now
        running = BackfillState.RUNNING
        return replace(self, state=running, owner=owner, owned_until=until, updated_time=updated)

    def released(self) -> "Backfill":
        return replace(self, owner="", owned_until=None)

    def free_at(self, now: datetime, longest: timedelta) -> bool:
        """Whether nobody runs it: an owner owns it for up to `longest`, so a time far beyond is of another clock."""
        return self.owned_until is None or not now < self.owned_until <= now + 2 * longest
