"""The paper broker on the simulated market: prices, sizes and sessions that no test has made up."""

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.brokers.paper_adapter import PaperBroker
from adapters.brokers.paper_settings import PaperSettings
from adapters.clock import ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_settings import SimulationSettings
from domain.decimals import ZERO, is_multiple
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_type import OrderType, Side, TimeInForce
from tests.adapters.brokers.paper_desk import CLOSE, OPENING, STOCK, TUESDAY_NOON, Desk, booked

X = ExecType


class Floor:
    """A paper broker whose quotes are the simulated market's."""

    def __init__(self, start: datetime = TUESDAY_NOON) -> None:
        self.clock = ManualClock(start)
        self.market = SimulatedMarketData(self.clock, SimulationSettings(sessions="exchange")).in_memory
        self.broker = PaperBroker(self.clock, self.market, PaperSettings())
        self.reports: list[ExecutionReport] = []
        self._desk = Desk(start=start)

    async def place(self, client_order_id: str, **terms: Any) -> Order:
        if not self.broker.connected:
            await self.broker.start(self.reports.append, [])
        self._desk.go_to(self.clock.now())
        order = self._desk.order(client_order_id, symbol=STOCK, **terms)
        self.broker.submit(order)
        return order

    def go_to(self, moment: datetime) -> None:
        self.clock.advance((moment - self.clock.now()) / timedelta(seconds=1))

    def told(self, order: Order) -> list[ExecType]:
        return [report.type for report in self.reports if report.order_id == order.order_id]


async def busy_minute() -> Floor:
    floor = Floor()
    quote = floor.market.latest(STOCK)
    assert quote is not None
    tick = Decimal("0.01")
    for n in range(20):
        side = Side.BUY if n % 2 else Side.SELL
        await floor.place(f"market-{n}", side=side, quantity="400")
        away = -side.sign * tick * (n % 5)
        await floor.place(
            f"limit-{n}", side=side, type=OrderType.LIMIT, limit_price=str(quote.mid // tick * tick + away)
        )
        await floor.place(f"trail-{n}", side=side, type=OrderType.TRAILING_STOP, trail_offset="0.05")
        floor.clock.advance(3)
    return floor


async def test_a_busy_minute_is_the_same_whenever_it_is_repeated() -> None:
    one, two = await busy_minute(), await busy_minute()
    assert one.reports == two.reports
    assert {report.type for report in one.reports} >= {X.NEW, X.TRADE, X.TRIGGERED}


async def test_every_fill_lies_on_the_tick_and_the_lot_and_some_are_partial() -> None:
    floor = await busy_minute()
    instrument = floor.market.instrument(STOCK)
    assert instrument is not None
    fills: dict[str, int] = defaultdict(int)
    for report in floor.reports:
        if report.type is X.TRADE:
            assert is_multiple(report.price or ZERO, instrument.tick_size)
            assert is_multiple(report.quantity or ZERO, instrument.lot_size)
            fills[report.order_id] += 1
    assert max(fills.values()) > 1


@pytest.mark.parametrize(
    ("tif", "start", "moment"),
    [
        (TimeInForce.OPG, OPENING - timedelta(minutes=1), OPENING),
        (TimeInForce.CLS, CLOSE - timedelta(minutes=1), CLOSE),
    ],
)
async def test_auction_orders_trade_in_the_simulated_opening_and_close(
    tif: TimeInForce, start: datetime, moment: datetime
) -> None:
    floor = Floor(start)
    order = await floor.place("c-1", time_in_force=tif)
    floor.go_to(moment - timedelta(seconds=1))
    assert floor.told(order) == [X.NEW]
    floor.go_to(moment + timedelta(seconds=1))
    assert floor.told(order) == [X.NEW, X.TRADE]
    assert booked(order, floor.reports).filled_quantity == Decimal(1)
    assert floor.reports[-1].time - moment < timedelta(seconds=0.2)
