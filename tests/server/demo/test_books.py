"""The proof at the end of the demo: books that agree pass, and each kind of difference is named."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from quantmesh.trading.v1.fill_pb2 import Fill
from quantmesh.trading.v1.order_pb2 import ORDER_STATUS_CANCELED, ORDER_STATUS_FILLED, Order
from quantmesh.trading.v1.portfolio_pb2 import CashBalance, Portfolio, Position
from quantmesh.type.v1.side_pb2 import SIDE_BUY, SIDE_SELL, Side
from server.demo.books import Books, audit

_CHECKS = ["fills listed", "orders listed", "filled quantity", "position", "cash in each currency", "equity"]


def _fill(fill_id: str, order_id: str, side: Side.ValueType, symbol: str, terms: tuple[str, str, str, str]) -> Fill:
    quantity, price, fee, currency = terms
    return Fill(
        fill_id=fill_id,
        order_id=order_id,
        side=side,
        symbol=symbol,
        quantity=quantity,
        price=price,
        fee=fee,
        fee_currency=currency,
    )


def _agreeing() -> Books:
    """100 AAPL bought at 150 and 40 sold at 151, 10 SAP bought for euros; marks 152 and 101, a euro is 1.1."""
    fills = [
        _fill("f1", "o1", SIDE_BUY, "AAPL", ("60", "150", "1", "USD")),
        _fill("f2", "o1", SIDE_BUY, "AAPL", ("40", "150", "1", "USD")),
        _fill("f3", "o2", SIDE_SELL, "AAPL", ("40", "151", "0.5", "USD")),
        _fill("f4", "o3", SIDE_BUY, "SAP", ("10", "100", "0.2", "EUR")),
    ]
    orders = [
        Order(order_id="o1", status=ORDER_STATUS_FILLED, filled_quantity="100"),
        Order(order_id="o2", status=ORDER_STATUS_FILLED, filled_quantity="40"),
        Order(order_id="o3", status=ORDER_STATUS_CANCELED, filled_quantity="10"),
        Order(order_id="o4", status=ORDER_STATUS_CANCELED, filled_quantity="0"),
    ]
    portfolio = Portfolio(
        cash=[CashBalance(currency="EUR", amount="-1000.2"), CashBalance(currency="USD", amount="11037.5")],
        realized_pnl="40",
        unrealized_pnl="131",
        fees="2.72",
        equity="20168.28",
    )
    return Books(
        base_currency="USD",
        starting_cash="20000",
        seen={order.order_id: order for order in orders},
        streamed=fills,
        orders=orders,
        fills=fills,
        positions=[Position(symbol="AAPL", quantity="60"), Position(symbol="SAP", quantity="10")],
        portfolio=portfolio,
        currencies={"AAPL": "USD", "SAP": "EUR"},
    )


def _fill_counted_twice(books: Books) -> Books:
    return replace(books, streamed=[*books.streamed, books.streamed[-1]])


def _event_missed(books: Books) -> Books:
    return replace(books, seen={**books.seen, "o3": Order(order_id="o3", filled_quantity="9")})


def _order_without_its_fill(books: Books) -> Books:
    fills = [*books.fills[:2], *books.fills[3:]]
    return replace(books, fills=fills, streamed=fills)


def _position_off(books: Books) -> Books:
    return replace(books, positions=[*books.positions[:1], Position(symbol="SAP", quantity="-10")])


def _cash_off_by_the_last_place(books: Books) -> Books:
    portfolio = Portfolio()
    portfolio.CopyFrom(books.portfolio)
    portfolio.cash[0].amount = "-1000.200000000000000001"
    return replace(books, portfolio=portfolio)


def _profit_off_by_a_cent(books: Books) -> Books:
    portfolio = Portfolio()
    portfolio.CopyFrom(books.portfolio)
    portfolio.realized_pnl = "40.01"
    return replace(books, portfolio=portfolio)


def test_books_that_agree_pass_every_check() -> None:
    checks = audit(_agreeing())
    assert [check.agrees for check in checks] == [True] * 6
    assert all(part in check.text for part, check in zip(_CHECKS, checks, strict=True))


@pytest.mark.parametrize(
    ("damage", "wrong", "told"),
    [
        (_fill_counted_twice, [0], "'f4', 'f4'"),
        (_event_missed, [1], "o3 expected"),
        (_order_without_its_fill, [2, 3, 4], "o2 expected None, found 40"),
        (_position_off, [3], "SAP expected 10, found -10"),
        (_cash_off_by_the_last_place, [4], "EUR expected -1000.2, found -1000.200000000000000001"),
        (_profit_off_by_a_cent, [5], "equity expected 20168.29, found 20168.28"),
    ],
)
def test_each_difference_is_found_and_named(damage: Callable[[Books], Books], wrong: list[int], told: str) -> None:
    checks = audit(damage(_agreeing()))
    assert [number for number, check in enumerate(checks) if not check.agrees] == wrong
    assert told in checks[wrong[0]].text


def test_a_busted_fill_does_not_count() -> None:
    books = _agreeing()
    busted = _fill("f5", "o4", SIDE_BUY, "AAPL", ("7", "150", "1", "USD"))
    busted.busted = True
    fills = [*books.fills, busted]
    assert all(check.agrees for check in audit(replace(books, fills=fills, streamed=fills)))
