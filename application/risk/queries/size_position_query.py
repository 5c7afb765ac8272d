"""How large a position may be: what a method asks for, rounded down to the lot and lowered until every rule passes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from application.market_data.bar_history import newest
from application.market_data.bar_ranges import BarSeries, longest
from application.market_data.market import Market
from application.market_data.market_hours import expected_open
from application.risk.largest_size import SizeSearch
from application.risk.sizing_story import Story
from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.examination import examine
from application.trading.placement import needs_of
from application.trading.trading_engine import TradingEngine
from domain.decimals import ONE, ZERO
from domain.errors import InvalidArgument, NotFound, PreconditionFailed, Violation
from domain.market_data.bar import Bar, BarInterval, PriceAdjustment
from domain.market_data.instrument import Instrument
from domain.risk.services.position_sizer import (
    Basis,
    SizingMethod,
    SizingStep,
    VolatilityTarget,
    average_true_range,
)
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import OrderType, Side

# Rules that say that the answer cannot be known, rather than that it is too much.
_PRICE_RULES = frozenset({"QUOTE_PRESENT", "QUOTE_FRESH", "CURRENCY_RATE"})
_WARM_UP = 5
"""So many periods of bars make what came before them weigh less than 1 % in a Wilder average."""
_MOST_MISSING_BARS = 3
_TOO_MUCH = Decimal(10**20)


@dataclass(frozen=True, slots=True)
class PositionSize:
    """`quantity` passes every rule on the account's state after event `sequence`; zero when no size does.

    `notional` is in the base currency, `unrounded` what the method gave. `limited_by` are codes of rules, that which
    bound last at the end.
    """

    quantity: Decimal
    notional: Decimal
    price: Decimal
    unrounded: Decimal
    limited_by: tuple[str, ...]
    steps: tuple[SizingStep, ...]
    explanation: str
    sequence: int


@dataclass(frozen=True, slots=True)
class SizePosition:
    """For an order at `price`, or with None for one at the market. Nothing is placed or reserved.

    Decided in the account's turn. Raises NotFound (INSTRUMENT_NOT_FOUND), PreconditionFailed (PRICE_MISSING) when a
    price or rate is missing or too old, and InvalidArgument for a stop on the wrong side of the price, or a size
    that is beyond all numbers of the contract.
    """

    account_id: str
    actor: str
    symbol: str
    side: Side
    method: SizingMethod
    price: Decimal | None = None
    strategy_id: str = ""

    def needs(self) -> Needs:
        return needs_of(self._order(ONE))

    def decide(self, book: AccountBook) -> PositionSize:
        instrument = book.quotes.instrument(self.symbol)
        if instrument is None:
            raise NotFound(f"symbol: no instrument {self.symbol!r}", reason="INSTRUMENT_NOT_FOUND", symbol=self.symbol)
        basis = self._basis(book, instrument)
        sized = self.method.size(basis)
        if sized.quantity >= _TOO_MUCH:
            raise InvalidArgument("method", "must give a quantity with at most 20 digits before the point")
        found = SizeSearch(book, instrument, self._order).up_to(sized.quantity)
        story = Story(self.symbol, basis, sized, found.lot, found.rounded, found.quantity, found.limits)
        return PositionSize(
            quantity=found.quantity,
            notional=found.quantity * basis.unit_cost,
            price=basis.price,
            unrounded=sized.quantity,
            limited_by=tuple(result.rule for result in found.limits),
            steps=story.steps(),
            explanation=story.told(),
            sequence=book.sequence,
        )

    def _order(self, quantity: Decimal) -> OrderTerms:
        """The order of that size which must pass."""
        type = OrderType.MARKET if self.price is None else OrderType.LIMIT
        return OrderTerms(
            "size", self.symbol, self.side, quantity, type, limit_price=self.price, strategy_id=self.strategy_id
        )

    def _basis(self, book: AccountBook, instrument: Instrument) -> Basis:
        checked = examine(book, self._order(instrument.lot_size))
        unknown = [result for result in checked.results if not result.passed and result.rule in _PRICE_RULES]
        quote = book.quotes.latest(self.symbol)
        if unknown or quote is None or checked.before is None:
            raise _price_missing(self.symbol, [(result.rule, result.message) for result in unknown])
        price = self.price or (quote.ask_price if self.side is Side.BUY else quote.bid_price)
        rate = book.valuation.rate(instrument.currency)
        if price <= ZERO or rate <= ZERO:
            raise _price_missing(self.symbol, [("QUOTE_PRESENT", "nothing is bid or offered")])
        return Basis(
            self.side,
            price,
            instrument.currency,
            rate,
            book.account.base_currency,
            checked.before.equity,
            instrument.base_currency or "shares",
        )


class SizePositionHandler:
    """Has the average true range computed where it is not given, then asks the account."""

    def __init__(self, engine: TradingEngine, market: Market) -> None:
        self._engine = engine
        self._market = market

    async def __call__(self, command: SizePosition) -> PositionSize:
        """As SizePosition says; PRICE_MISSING also when there are too few bars, or only old ones."""
        self._engine.writer(command.account_id)
        method = command.method
        if isinstance(method, VolatilityTarget) and method.atr is None:
            atr = await self._average_true_range(command.symbol, method.atr_period, method.bar_interval)
            command = replace(command, method=replace(method, atr=atr))
        return await self._engine.execute(command)

    async def _average_true_range(self, symbol: str, period: int, interval: BarInterval) -> Decimal:
        source = await self._market.source(symbol)
        source.require_bars(interval, PriceAdjustment.RAW, False)
        series = BarSeries(self._market, source, interval)
        read = await newest(series, self._market.clock.now(), _WARM_UP * period + 1)
        bars = [bar for bar in read.bars if not bar.partial]
        average = average_true_range(bars, period) if len(bars) >= period else ZERO
        if not average:
            raise _no_average(symbol, f"{len(bars)} bars of {interval.value} do not give an average over {period}")
        if self._is_old(source.instrument, bars[-1]):
            raise _no_average(symbol, f"the last bar of {interval.value} ended at {bars[-1].close_time.isoformat()}")
        return average

    def _is_old(self, instrument: Instrument, last: Bar) -> bool:
        following = expected_open(instrument.hours, last.interval, last.close_time)
        if following is None:
            return False
        return following + _MOST_MISSING_BARS * longest(last.interval) < self._market.clock.now()


def _price_missing(symbol: str, reasons: Sequence[tuple[str, str]]) -> PreconditionFailed:
    text = "; ".join(says for _, says in reasons) or "price: not available"
    violations = [Violation(rule, symbol, says) for rule, says in reasons]
    return PreconditionFailed(f"{symbol} cannot be sized: {text}", violations, reason="PRICE_MISSING", symbol=symbol)


def _no_average(symbol: str, says: str) -> PreconditionFailed:
    return _price_missing(symbol, [("PRICE_MISSING", f"average true range: {says}")])
