"""Orders that only reduce take from what another order of their side could close."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.services.margin import OpenOrders
from domain.risk.services.pre_trade_check import passes
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.value_objects.order_type import Side
from tests.support.situations import Around, failed, order, rested, situation, state

D = Decimal
SELL = Side.SELL
REDUCING = {"controls_state": state(TradingState.REDUCING)}


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


# -- beside a plain order of the same side -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "limits", "sells", "most", "also"),
    [
        ("SHORT_SELLING", {"short_selling": False}, 60, 40, {}),
        ("SHORT_SELLING", {"max_short_quantity": D(20)}, 60, 60, {}),
        ("REDUCE_ONLY", {"reduce_only": True}, 60, 40, {}),
        ("TRADING_STATE", {}, 60, 40, REDUCING),
        ("MAX_POSITION", {"max_position_quantity": D(120)}, 150, 70, {}),
        ("MAX_POSITION", {"max_position_notional": D(6_000)}, 150, 70, {}),
        ("MAX_GROSS_EXPOSURE", {"max_gross_exposure": D(6_000)}, 150, 70, {}),
        ("MAX_NET_EXPOSURE", {"max_net_exposure": D(6_000)}, 150, 70, {}),
        ("MAX_CONCENTRATION", {"max_concentration_percent": D(60)}, 150, 70, {}),
        ("BUYING_POWER", {}, 250, 50, {}),
        ("MAX_LEVERAGE", {"max_leverage": D("0.6")}, 150, 70, {}),
    ],
)
def test_a_limit_holds_for_what_a_plain_sell_would_open_in_place_of_what_it_could_close(
    rule: str, limits: Mapping[str, Any], sells: int, most: int, also: Mapping[str, Any]
) -> None:
    """100 are held, worth 5,000, beside 5,000 in cash."""

    def reducing(quantity: int) -> set[str]:
        around = Around(5_000, {"ACME": 100}, rested(sells, buys=False))
        terms = order(SELL, quantity, price=50, reduce_only=True)
        profile, costs = RiskProfile("acct", **limits), D(50) * quantity
        return failed(situation(terms, around=around, limits=profile, costs=costs, **also))

    assert rule not in reducing(most)
    assert rule in reducing(most + 1)


@pytest.mark.parametrize("more", [{"is_exit": True}, {"flattens": True}])
def test_an_exit_of_what_its_parent_opens_and_an_order_of_a_kill_switch_are_not_held_up(
    more: Mapping[str, Any],
) -> None:
    around, limits = Around(5_000, {"ACME": 100}, rested(250, buys=False)), RiskProfile("acct", short_selling=False)
    made = situation(order(SELL, 100, price=50, reduce_only=True), around=around, limits=limits, **more)
    assert passes(made), failed(made)


def test_what_other_reducing_orders_take_already_is_not_taken_twice() -> None:
    waiting = OpenOrders("USD", sell_quantity=D(60), sell_notional=D(3_000))
    waiting.sell_reducing, waiting.sell_reducing_notional = D(100), D(5_000)
    around, limits = Around(5_000, {"ACME": 100}, waiting), RiskProfile("acct", max_position_quantity=D(60))
    made = situation(order(SELL, 100, price=50, reduce_only=True), around=around, limits=limits)
    assert passes(made), failed(made)
