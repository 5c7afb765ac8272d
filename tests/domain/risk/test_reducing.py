"""Orders that only reduce take from what another order of their side could close."""

from decimal import Decimal

import pytest

from domain.risk.services.margin import OpenOrders

D = Decimal


@pytest.mark.parametrize(
    ("held", "plain", "reducing", "worst"),
    [
        (100, 0, 100, 100),  # closing adds nothing
        (100, 100, 0, 100),
        (100, 100, 100, 100),  # what reduces goes first, then the other sells short
        (100, 300, 100, 300),
        (100, 300, 250, 300),  # the venue lets no more close than there is
        (0, 300, 50, 300),
        (-100, 300, 50, 400),  # sells that only reduce close no short position
    ],
)
def test_the_worst_of_sells_counts_what_the_reducing_ones_close_first(
    held: int, plain: int, reducing: int, worst: int
) -> None:
    sells = OpenOrders("USD", sell_notional=D(plain), sell_reducing_notional=D(reducing))
    buys = OpenOrders("USD", buy_notional=D(plain), buy_reducing_notional=D(reducing))
    assert sells.worst_exposure(D(held)) == worst
    assert buys.worst_exposure(D(-held)) == worst
