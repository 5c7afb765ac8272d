"""What the demo shows, at the widths and on the outputs that it is promised for."""

import io

import pytest
from rich.console import Console

from quantmesh.trading.v1.fill_pb2 import Fill
from quantmesh.trading.v1.order_event_pb2 import OrderEvent
from quantmesh.trading.v1.order_pb2 import ORDER_STATUS_FILLED, ORDER_STATUS_PARTIALLY_FILLED, Order
from quantmesh.trading.v1.order_type_pb2 import LimitOrder, TrailingStopOrder
from quantmesh.trading.v1.portfolio_pb2 import Portfolio, Position
from quantmesh.type.v1.side_pb2 import SIDE_BUY, SIDE_SELL
from server.demo.failures import DemoFailed
from server.demo.screen import Dashboard, Printout, dashboard, screen_for
from server.demo.view import View


def _view() -> View:
    view = View(seconds=30)
    view.take_event(OrderEvent(sequence=1))
    limit = LimitOrder(price="50442.04")
    half = ORDER_STATUS_PARTIALLY_FILLED
    order = Order(order_id="o1", client_order_id="btc", symbol="BTC/USD", side=SIDE_BUY, quantity="0.12", limit=limit)
    order.status, order.filled_quantity = half, "0.06"
    view.take_event(OrderEvent(sequence=2, order=order))
    trailing = TrailingStopOrder(offset="10.08")
    ended = Order(order_id="o2", symbol="ETH/USD", side=SIDE_SELL, quantity="1.4", trailing_stop=trailing)
    ended.status, ended.filled_quantity = ORDER_STATUS_FILLED, "1.4"
    view.take_event(OrderEvent(sequence=3, order=ended))
    for number in range(60):
        view.take_fill(Fill(symbol="BTC/USD", side=SIDE_BUY, quantity="0.001", price=f"{50_000 + number}.25", fee="1"))
    position = Position(symbol="BTC/USD", quantity="0.06", average_price="50000.123456789", currency="USD")
    view.portfolio = Portfolio(equity="249999.5", realized_pnl="-1.25", positions=[position])
    view.title = "trailing stop"
    view.say("SELL 0.12 BTC/USD trailing 10.08")
    return view


def _drawn(width: int, height: int) -> list[str]:
    output = io.StringIO()
    console = Console(file=output, width=width, height=height)
    console.print(dashboard(_view(), width, height), height=height)
    return output.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 50), (160, 45)])
def test_the_dashboard_fills_the_terminal_and_no_more(width: int, height: int) -> None:
    lines = _drawn(width, height)
    assert len(lines) == height
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(("width", "height"), [(80, 24), (160, 45)])
def test_the_dashboard_shows_account_fills_orders_positions_and_requests(width: int, height: int) -> None:
    text = "\n".join(_drawn(width, height))
    for part in ("249,999.50", "-1.25", "Fills: 60", "50059.25", "1 open, 1 ended", "PARTIALLY FILLED", "50000.1235"):
        assert part in text
    assert "trailing stop" in text


def test_the_newest_fill_comes_first_and_buys_are_green() -> None:
    output = io.StringIO()
    console = Console(file=output, width=80, height=24, force_terminal=True, color_system="standard")
    console.print(dashboard(_view(), 80, 24), height=24)
    text = output.getvalue()
    assert text.index("50059.25") < text.index("50058.25")
    assert "\x1b[32mBUY" in text


def test_the_printout_is_for_anything_but_a_terminal() -> None:
    assert isinstance(screen_for(Console(file=io.StringIO()), _view()), Printout)
    assert isinstance(screen_for(Console(file=io.StringIO(), force_terminal=True), _view()), Dashboard)


def test_the_printout_has_a_line_for_each_request_and_fill_and_no_cursor_codes() -> None:
    output = io.StringIO()
    with Printout(Console(file=output, width=80), _view()):
        pass
    lines = output.getvalue().splitlines()
    assert len(lines) == 61
    assert "trailing stop" in lines[0]
    assert "\x1b" not in output.getvalue()


def test_a_gap_in_the_journal_stops_the_demo() -> None:
    view = _view()
    with pytest.raises(DemoFailed, match="event 5 of the journal came after event 3"):
        view.take_event(OrderEvent(sequence=5))
