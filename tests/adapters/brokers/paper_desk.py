"""A trader's desk at the paper broker: a clock and quotes that the test owns, and every report that came."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from adapters.brokers.paper_adapter import PaperBroker
from adapters.brokers.paper_settings import PaperSettings
from adapters.clock import ManualClock
from domain.decimals import ZERO
from domain.market_data.instrument import AssetClass, Instrument
from domain.market_data.quote import Quote
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import OrderType, Side

COIN, STOCK = "BTC-USD", "AAPL"
NEW_YORK = TradingHours("America/New_York", time(9, 30), time(16), frozenset(range(5)), frozenset({date(2026, 1, 19)}))
TUESDAY_NOON = datetime(2026, 1, 6, 17, 0, tzinfo=UTC)  # 12:00 in New York
OPENING, CLOSE = TUESDAY_NOON.replace(hour=14, minute=30), TUESDAY_NOON.replace(hour=21)
DECIMALS = {"quantity", "limit_price", "stop_price", "trail_offset", "trail_percent"}
ARRIVES, LOOKS = 0.01, 0.1
PLAIN = PaperSettings(slippage=ZERO)


def instrument(symbol: str, asset_class: AssetClass, hours: TradingHours, lot: str) -> Instrument:
    step = Decimal(lot)
    return Instrument(symbol, symbol, asset_class, "USD", "X", Decimal("0.01"), step, step, Decimal(1_000_000), hours)


class Quotes:
    """LatestQuotes whose quotes the test shows."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._quotes: dict[str, Quote] = {}
        self.asked_for: list[set[str]] = []
        self.instruments = {
            COIN: instrument(COIN, AssetClass.CRYPTO, ALWAYS_OPEN, "0.001"),
            STOCK: instrument(STOCK, AssetClass.EQUITY, NEW_YORK, "1"),
        }

    def show(self, symbol: str, bid: str, ask: str, bid_size: str = "100", ask_size: str = "100") -> None:
        sizes = Decimal(bid_size), Decimal(ask_size)
        now = self._clock.now()
        self._quotes[symbol] = Quote(symbol, Decimal(bid), sizes[0], Decimal(ask), sizes[1], now)

    def instrument(self, symbol: str) -> Instrument | None:
        return self.instruments.get(symbol)

    def latest(self, symbol: str) -> Quote | None:
        return self._quotes.get(symbol)

    def price_range(self, symbol: str, seconds: Decimal) -> tuple[Decimal, Decimal] | None:
        quote = self._quotes.get(symbol)
        return (quote.mid, quote.mid) if quote else None

    def wants(self, symbol: str) -> bool:
        return False

    async def ensure(self, symbols: Collection[str]) -> None:
        self.asked_for.append(set(symbols))


class Desk:
    def __init__(self, settings: PaperSettings = PLAIN, start: datetime = TUESDAY_NOON) -> None:
        self.clock = ManualClock(start)
        self.quotes = Quotes(self.clock)
        self.settings = settings
        self.broker = PaperBroker(self.clock, self.quotes, settings)
        self.reports: list[ExecutionReport] = []
        self._ids = count(1)

    async def open(self, working: Iterable[Order] = ()) -> "Desk":
        await self.broker.start(self.reports.append, list(working))
        return self

    def restarted(self) -> "Desk":
        """Another process at the same moment, which knows nothing yet, not even a quote."""
        return Desk(self.settings, self.clock.now())

    def order(self, client_order_id: str = "", /, account: str = "acme", **terms: Any) -> Order:
        """A new order of the clock's present moment: a market buy of 1 coin, but for `terms`."""
        n = next(self._ids)
        terms.setdefault("symbol", COIN)
        terms.setdefault("side", Side.BUY)
        terms.setdefault("type", OrderType.MARKET)
        for name in DECIMALS & terms.keys():
            terms[name] = Decimal(terms[name])
        terms.setdefault("quantity", Decimal(1))
        asked = OrderTerms(client_order_id or f"c-{n}", **terms)
        now = self.clock.now()
        return Order(f"order-{n}", account, asked, asked.quantity, "paper", "USD", now, now, created_sequence=n)

    def send(self, client_order_id: str = "", /, **terms: Any) -> Order:
        """Submit a new order, and leave it under way."""
        order = self.order(client_order_id, **terms)
        self.broker.submit(order)
        return order

    def place(self, client_order_id: str = "", /, **terms: Any) -> Order:
        """Submit a new order, and wait until it has arrived."""
        order = self.send(client_order_id, **terms)
        self.pass_time(ARRIVES)
        return order

    def limit(self, price: str, client_order_id: str = "", /, **terms: Any) -> Order:
        return self.place(client_order_id, type=OrderType.LIMIT, limit_price=price, **terms)

    def cancel(self, order: Order) -> None:
        """Cancel `order` and wait until that has arrived."""
        self.broker.cancel(order)
        self.pass_time(ARRIVES)

    def replace(self, order: Order, version: int = 2, **terms: Any) -> Order:
        """Replace `order` and wait until that has arrived; gives the order with the terms asked for."""
        for name in DECIMALS & terms.keys():
            terms[name] = Decimal(terms[name])
        asked = replace(order.terms, **terms)
        self.broker.replace(order, asked, version)
        self.pass_time(ARRIVES)
        return replace(order, terms=asked)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def go_to(self, moment: datetime) -> None:
        self.clock.advance((moment - self.clock.now()) / timedelta(seconds=1))

    def show(self, symbol: str, bid: str, ask: str, bid_size: str = "100", ask_size: str = "100") -> None:
        """A new quote, and time enough for resting orders to see it."""
        self.quotes.show(symbol, bid, ask, bid_size, ask_size)
        self.pass_time(LOOKS)

    def of(self, order: Order) -> list[ExecutionReport]:
        return [report for report in self.reports if report.order_id == order.order_id]

    def told(self, order: Order) -> list[ExecType]:
        return [report.type for report in self.of(order)]

    def fills(self, order: Order) -> list[tuple[str, str]]:
        """Quantity and price of each fill."""
        return [(str(report.quantity), str(report.price)) for report in self.of(order) if report.type is ExecType.TRADE]

    def reason(self, order: Order) -> str:
        return self.of(order)[-1].reason


async def desk_with_quote(settings: PaperSettings = PLAIN, start: datetime = TUESDAY_NOON) -> Desk:
    """An open desk, with 5 to buy at 101 and 5 to sell at 99."""
    desk = await Desk(settings, start).open()
    for symbol in (COIN, STOCK):
        desk.quotes.show(symbol, "99", "101", "5", "5")
    return desk


def types(known: Sequence[ExecutionReport] | None) -> list[ExecType] | None:
    return None if known is None else [report.type for report in known]


def booked(order: Order, reports: Iterable[ExecutionReport], asked: Mapping[int, OrderTerms] | None = None) -> Order:
    """`order` after `reports`, each execution counted once: what quantmesh makes of them.

    `asked` are the terms of replaces by request version; without them a REPLACED has nothing to apply.
    """
    executions: set[str] = set()
    for report in reports:
        if report.order_id != order.order_id:
            continue
        if asked and report.request_version in asked:
            terms = asked[report.request_version]
            order = replace(order, replace_terms=terms, replace_version=report.request_version)
        changes = order.effect_of(report) if report.type is not ExecType.TRADE else None
        if report.type is ExecType.TRADE and report.execution_id not in executions:
            executions.add(report.execution_id)
            assert report.quantity is not None
            assert report.price is not None
            notional = report.quantity * report.price
            changes = order.with_fill_change(report.quantity, notional, report.fee or ZERO, report.type)
        if changes is not None:
            order = order.changed(report.time, order.sequence + 1, **changes)
    return order
