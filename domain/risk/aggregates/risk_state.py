"""What the rules of one account remember from order to order: token buckets, highs, what was said already."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_UP, Decimal

from domain.decimals import ZERO, settle
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.value_objects.limits import RateLimit
from domain.span import span

_HUNDRED = Decimal(100)
_SECOND_MICROS = Decimal(1_000_000)
_MICROSECOND = timedelta(microseconds=1)
_QUANTUM = Decimal("1e-18")


def bucket_key(rule: str, strategy_id: str = "") -> str:
    """The name of a bucket in `RiskState.buckets`."""
    return f"{rule}:{strategy_id}" if strategy_id else rule


def day_of(now: datetime, day_start: Decimal) -> datetime:
    """When the account's day began that `now` lies in. `day_start` in seconds after midnight UTC."""
    after_midnight = span(day_start)
    shifted = now.astimezone(UTC) - after_midnight
    return shifted.replace(hour=0, minute=0, second=0, microsecond=0) + after_midnight


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket as it was at `time`: `spent` is what is missing in it, in tokens times `period` seconds.

    Told this way it is exact: in a second `count` comes back, so no token is ever a fraction that has to be rounded.
    A bucket that nobody has taken from is full. It may be overdrawn: what has happened can't be refused.
    """

    spent: Decimal
    period: Decimal
    time: datetime

    def at(self, limit: RateLimit, now: datetime) -> "Bucket":
        """The same bucket at `now`, under `limit`. A clock that goes back gives nothing and takes nothing."""
        elapsed = _seconds_between(self.time, now)
        spent = self.spent
        if limit.period != self.period:
            spent = (spent * limit.period / self.period).quantize(_QUANTUM, ROUND_UP)
        if elapsed <= ZERO:
            return Bucket(spent, limit.period, self.time)
        return Bucket(max(ZERO, spent - limit.count * elapsed), limit.period, now)

    def tokens(self, limit: RateLimit, now: datetime) -> Decimal:
        """What it holds at `now`: at most `limit.count`, below zero when overdrawn. One token lets one pass."""
        return limit.count - self.at(limit, now).spent / limit.period

    def take(self, limit: RateLimit, now: datetime) -> "Bucket":
        """The bucket after one token was taken, whether it was there or not."""
        at = self.at(limit, now)
        return Bucket(at.spent + limit.period, at.period, at.time)


@dataclass(frozen=True, slots=True)
class RiskState:
    """Stored with the account. Equities are in the base currency, None before the account was first valued.

    `day` is the start of the account's present day. `buckets` by rule, or rule and strategy as "RULE:strategy".
    `noted` is, by the id of a control, the version that the account's journal has an event of.
    `warned` names each limit whose warning share is passed (`limit_use.warning_key`), `breached` the loss rules
    that are.
    """

    account_id: str
    day: datetime | None = None
    day_start_equity: Decimal | None = None
    day_high: Decimal | None = None
    high: Decimal | None = None
    buckets: Mapping[str, Bucket] = field(default_factory=dict)
    noted: Mapping[str, int] = field(default_factory=dict)
    warned: frozenset[str] = frozenset()
    breached: frozenset[str] = frozenset()

    # -- buckets ------------------------------------------------------------------------------------

    def tokens(self, key: str, limit: RateLimit, now: datetime) -> Decimal:
        """What the bucket holds at `now`; a full one where none was taken from yet."""
        bucket = self.buckets.get(key)
        return Decimal(limit.count) if bucket is None else bucket.tokens(limit, now)

    def taken(self, key: str, limit: RateLimit, now: datetime) -> "RiskState":
        """The state after one token was taken from the bucket."""
        bucket = self.buckets.get(key) or Bucket(ZERO, limit.period, now)
        return replace(self, buckets={**self.buckets, key: bucket.take(limit, now)})

    def refilled(self, key: str) -> "RiskState":
        """The state with that bucket full, as when a risk manager turns a strategy on again."""
        if key not in self.buckets:
            return self
        return replace(self, buckets={name: bucket for name, bucket in self.buckets.items() if name != key})

    # -- equity -------------------------------------------------------------------------------------

    def valued(self, equity: Decimal, now: datetime, day_start: Decimal) -> "RiskState":
        """The state once the account was found to be worth `equity`: a new day has begun, or a high is higher.

        The same object if nothing changes, so that nothing needs to be stored.
        """
        day = day_of(now, day_start)
        high = equity if self.high is None else max(self.high, equity)
        if self.day_start_equity is None or self.day is None or day > self.day:
            return replace(
                self, day=day, day_start_equity=equity, day_high=equity, high=high, buckets=self._recent(now)
            )
        day_high = equity if self.day_high is None else max(self.day_high, equity)
        if day_high == self.day_high and high == self.high:
            return self
        return replace(self, day_high=day_high, high=high)

    def _recent(self, now: datetime) -> Mapping[str, Bucket]:
        """Those that may not be full yet, so that strategies of long ago are forgotten: a second gives one back."""
        return {
            key: bucket for key, bucket in self.buckets.items() if bucket.spent > _seconds_between(bucket.time, now)
        }

    def cash_moved(self, amount: Decimal, equity: Decimal) -> "RiskState":
        """The state after cash came (or went, below zero); `equity` is what the account was worth before.

        It is neither profit nor loss: the day's start moves by the amount, and the highs in proportion, so that every
        loss and every drawdown stays what it was.
        """

        def in_proportion(high: Decimal | None) -> Decimal | None:
            if high is None or equity <= ZERO or equity + amount <= ZERO:
                return None if high is None else high + amount
            return settle(high * (equity + amount) / equity)

        start = None if self.day_start_equity is None else self.day_start_equity + amount
        return replace(
            self, day_start_equity=start, day_high=in_proportion(self.day_high), high=in_proportion(self.high)
        )

    def daily_loss(self, equity: Decimal) -> Decimal | None:
        """The fall of equity since the day's start; None when that is not known."""
        return None if self.day_start_equity is None else max(ZERO, self.day_start_equity - equity)

    def daily_drawdown(self, equity: Decimal) -> Decimal | None:
        """The fall from the day's high in percent of it; None when that is not known."""
        return _fall(self.day_high, equity)

    def drawdown(self, equity: Decimal) -> Decimal | None:
        """The fall from the all-time high in percent of it; None when that is not known."""
        return _fall(self.high, equity)

    def passed(self, profile: RiskProfile, equity: Decimal) -> frozenset[str]:
        """The loss rules whose limit `equity` is beyond, for `breached`."""
        measures = {
            "MAX_DAILY_LOSS": (self.daily_loss(equity), profile.max_daily_loss),
            "MAX_DAILY_DRAWDOWN": (self.daily_drawdown(equity), profile.max_daily_drawdown_percent),
            "MAX_DRAWDOWN": (self.drawdown(equity), profile.max_drawdown_percent),
        }
        return frozenset(
            rule
            for rule, (value, limit) in measures.items()
            if limit is not None and value is not None and value > limit
        )


def _seconds_between(start: datetime, end: datetime) -> Decimal:
    return Decimal((end - start) // _MICROSECOND) / _SECOND_MICROS


def _fall(high: Decimal | None, equity: Decimal) -> Decimal | None:
    if high is None:
        return None
    if equity >= high:
        return ZERO
    # From nothing or less, any fall is a whole one.
    return (high - equity) / high * _HUNDRED if high > ZERO else _HUNDRED
