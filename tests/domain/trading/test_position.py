from decimal import Decimal

import pytest

from domain.trading.entities.position import Position
from tests.support.trading import START

D = Decimal


def after(*trades: tuple[str, str]) -> Position:
    """Quantity (bought is positive) and price of each trade; a fee of 1 with each."""
    position = Position("desk", "ACME", "USD")
    for sequence, (quantity, price) in enumerate(trades, start=1):
        position = position.traded(D(quantity), D(price), D(1), sequence, START)
    return position


@pytest.mark.parametrize(
    ("trades", "quantity", "average", "realized"),
    [
        ([("10", "100")], "10", "100", "0"),
        ([("10", "100"), ("10", "110")], "20", "105", "0"),
        ([("10", "100"), ("-4", "110")], "6", "100", "40"),
        ([("10", "100"), ("-10", "110")], "0", "0", "100"),
        ([("10", "100"), ("-15", "110")], "-5", "110", "100"),
        ([("-10", "100")], "-10", "100", "0"),
        ([("-10", "100"), ("-10", "90")], "-20", "95", "0"),
        ([("-10", "100"), ("4", "90")], "-6", "100", "40"),
        ([("-10", "100"), ("10", "110")], "0", "0", "-100"),
        ([("-10", "100"), ("15", "90")], "5", "90", "100"),
        ([("1", "1"), ("2", "2")], "3", "1.666666666666666667", "0"),
    ],
)
def test_average_cost_moves_with_what_adds_and_stays_with_what_closes(
    trades: list[tuple[str, str]], quantity: str, average: str, realized: str
) -> None:
    position = after(*trades)
    assert (position.quantity, position.average_price) == (D(quantity), D(average))
    assert position.realized_pnl == D(realized)
    assert position.fees == len(trades)
    assert position.sequence == len(trades)


@pytest.mark.parametrize(("quantity", "profit"), [("10", "50"), ("-10", "-50")])
def test_what_is_open_gains_with_the_mark_when_long_and_loses_when_short(quantity: str, profit: str) -> None:
    assert after((quantity, "100")).unrealized_pnl(D(105)) == D(profit)
