"""The largest order that every rule lets pass."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from itertools import count
from math import lcm

from application.trading.account_book import AccountBook
from application.trading.examination import examine
from domain.decimals import PLACES
from domain.market_data.instrument import Instrument
from domain.risk.services.pre_trade_check import RuleResult
from domain.trading.value_objects.order_terms import OrderTerms

_GRID: int = 10**PLACES
_MOST_LOOK_ALIKES = 64
_LOOK_ALIKE = "DUPLICATE_ORDER"
# Of a whole number of lots, LOT_SIZE refuses what is below the smallest quantity.
_MINIMUMS = frozenset({"LOT_SIZE", "MIN_NOTIONAL"})


@dataclass(frozen=True, slots=True)
class LargestSize:
    """`rounded` is the size that was wanted, down to the `lot`; `quantity` what passes of it, zero for nothing.

    `limits` is what each rule said of the smallest size that it refused; the last of them bound last.
    """

    lot: Decimal
    rounded: Decimal
    quantity: Decimal
    limits: tuple[RuleResult, ...]


class SizeSearch:
    """Bisection over lots, each tried as `order` makes it, every other time where the limits seem to lie.

    A rule that refuses a size refuses every larger one, but for those that are left out at first: the venue's
    minimums, which are held against the size that the others leave, and DUPLICATE_ORDER, which refuses single sizes
    and is stepped over at the end.
    """

    def __init__(self, book: AccountBook, instrument: Instrument, order: Callable[[Decimal], OrderTerms]) -> None:
        self._book = book
        self._order = order
        fractions = book.broker.capabilities.fractional_quantities
        self._lot = instrument.lot_size if fractions else _whole(instrument.lot_size)
        # Every instrument has a largest order, so nothing above the lot after it need be tried.
        self._ceiling = _floor(instrument.max_quantity / self._lot) + 1
        self._refusals: dict[int, list[RuleResult]] = {}

    def up_to(self, quantity: Decimal) -> LargestSize:
        wanted = _floor(quantity / self._lot)
        largest = self._bisect(wanted)
        if largest < wanted:
            self._refused(largest + 1)
        left = self._without_look_alikes(largest)
        passing = 0 if not left or self._refused(left) else left
        return LargestSize(self._lot, wanted * self._lot, passing * self._lot, self._limits(left, wanted))

    def _bisect(self, wanted: int) -> int:
        if not wanted or self._passes(wanted):
            return wanted
        low, high = 1, min(wanted, self._ceiling)
        if low >= high or not self._passes(low):
            return 0
        for turn in count():
            if high - low <= 1:
                break
            tried = (low + high) // 2 if turn % 2 else min(max(low + 1, self._aim(high)), high - 1)
            low, high = (tried, high) if self._passes(tried) else (low, tried)
        return low

    def _aim(self, refused: int) -> int:
        """Where the limits lie if what the rules measure grows with the size alone: then it takes few tries."""
        return min(
            (
                _floor(refused * result.limit / result.value)
                for result in self._refused(refused)
                if isinstance(result.value, Decimal)
                and isinstance(result.limit, Decimal)
                and result.value > result.limit
            ),
            default=0,
        )

    def _without_look_alikes(self, lots: int) -> int:
        for smaller in range(lots, max(0, lots - _MOST_LOOK_ALIKES), -1):
            if all(result.rule != _LOOK_ALIKE for result in self._refused(smaller)):
                return smaller
        return 0

    def _limits(self, left: int, wanted: int) -> tuple[RuleResult, ...]:
        """What lowered `wanted` to what is `left`. Of sizes tried on the way, the minimums say nothing."""
        limits: dict[str, RuleResult] = {}
        for lots in sorted((lots for lots in self._refusals if lots >= left), reverse=True):
            for result in self._refusals[lots]:
                if result.rule in _MINIMUMS and lots not in (left, wanted):
                    continue
                limits.pop(result.rule, None)
                limits[result.rule] = result
        return tuple(limits.values())

    def _passes(self, lots: int) -> bool:
        """Whether no rule refuses it that refuses every larger size too."""
        return all(result.rule == _LOOK_ALIKE or result.rule in _MINIMUMS for result in self._refused(lots))

    def _refused(self, lots: int) -> list[RuleResult]:
        if lots not in self._refusals:
            results = examine(self._book, self._order(lots * self._lot), may_wait=True).results
            self._refusals[lots] = [result for result in results if not result.passed]
        return self._refusals[lots]


def _floor(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_FLOOR))


def _whole(lot: Decimal) -> Decimal:
    """The smallest multiple of `lot` that is a whole number."""
    return Decimal(lcm(int(lot * _GRID), _GRID)) / _GRID
