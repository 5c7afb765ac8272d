from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_group import GroupAction, next_steps, restate_reason
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.order_type import GroupType, RestateReason
from tests.support.trading import Desk, terms

S = OrderStatus
ONE = Decimal(1)

Step = tuple[str, str, Decimal]


def member(name: str, quantity: int, filled: int = 0, **more: Any) -> Order:
    """A member that works, with `filled` of `quantity` done."""
    state = S.FILLED if filled == quantity else S.PARTIALLY_FILLED if filled else S.NEW
    changes: dict[str, Any] = {"state": state, "filled_quantity": Decimal(filled)}
    return replace(Desk().place(terms(name, quantity=quantity)), **changes | more)


def held(name: str, quantity: int) -> Order:
    return member(name, quantity, held=True, state=S.PENDING_NEW)


def at(order: Order, quantity: int) -> Order:
    """The member with the quantity that its group has given it meanwhile."""
    return replace(order, terms=replace(order.terms, quantity=Decimal(quantity)))


def steps(type: GroupType, *members: Order, lot: Decimal = ONE) -> list[Step]:
    return [(s.action.value, s.order.terms.client_order_id, s.quantity) for s in next_steps(type, members, lot)]


RELEASE, RESIZE, CANCEL = (action.value for action in GroupAction)


def test_children_wait_until_their_parent_fills() -> None:
    assert steps(GroupType.OTO, member("parent", 10), held("child", 10)) == []


def test_a_child_is_released_with_what_the_parent_has_filled() -> None:
    assert steps(GroupType.OTO, member("parent", 10, 4), held("child", 10)) == [(RELEASE, "child", Decimal(4))]


def test_a_released_child_follows_its_parents_fills() -> None:
    child = at(member("child", 10), 4)
    assert steps(GroupType.OTO, member("parent", 10, 7), child) == [(RESIZE, "child", Decimal(7))]


def test_a_child_of_another_size_gets_its_share_down_to_the_lot() -> None:
    parent, child = member("parent", 10, 3), held("child", 25)
    assert steps(GroupType.OTO, parent, child) == [(RELEASE, "child", Decimal(7))]
    assert steps(GroupType.OTO, parent, child, lot=Decimal(5)) == [(RELEASE, "child", Decimal(5))]


@pytest.mark.parametrize("filled", [1, 2])
def test_a_third_of_a_parent_gives_the_whole_third_of_its_child(filled: int) -> None:
    assert steps(GroupType.OTO, member("parent", 3, filled), held("child", 3)) == [(RELEASE, "child", Decimal(filled))]


def test_a_child_never_grows_beyond_what_it_was_checked_with() -> None:
    grown = replace(member("parent", 10, 14, state=S.PARTIALLY_FILLED), initial_quantity=Decimal(10))
    assert steps(GroupType.OTO, grown, held("child", 10)) == [(RELEASE, "child", Decimal(10))]


def test_less_than_a_lot_releases_nothing() -> None:
    assert steps(GroupType.OTO, member("parent", 10, 4), held("child", 10), lot=Decimal(5)) == []


def test_children_of_a_parent_that_ended_without_a_fill_are_canceled() -> None:
    parent = member("parent", 10, state=S.CANCELED)
    assert steps(GroupType.OTO, parent, held("child", 10)) == [(CANCEL, "child", Decimal(0))]


def test_children_of_a_parent_that_ended_after_a_fill_keep_what_it_filled() -> None:
    parent = member("parent", 10, 4, state=S.CANCELED)
    assert steps(GroupType.OTO, parent, at(member("child", 10), 4)) == []


def test_a_member_with_a_request_pending_is_left_alone_until_that_is_answered() -> None:
    pending = replace(at(member("child", 10), 4), replace_terms=terms("child", quantity=6))
    assert steps(GroupType.OTO, member("parent", 10, 8), pending) == []
    canceling = replace(at(member("child", 10), 4), cancel_pending=True)
    assert steps(GroupType.OTO, member("parent", 10, 8), canceling) == []


def test_what_one_of_two_fills_the_other_loses() -> None:
    assert steps(GroupType.OCO, member("a", 10, 4), member("b", 10)) == [(RESIZE, "b", Decimal(6))]


def test_the_other_of_two_is_canceled_once_one_has_filled_all() -> None:
    assert steps(GroupType.OCO, member("a", 10, 10), member("b", 10)) == [(CANCEL, "b", Decimal(0))]


def test_one_of_two_that_is_canceled_leaves_the_other_as_it_is() -> None:
    assert steps(GroupType.OCO, member("a", 10, state=S.CANCELED), member("b", 10)) == []


def test_an_exit_that_fills_while_its_entry_works_cancels_the_rest_of_the_entry() -> None:
    entry, profit = member("entry", 10, 4), at(member("profit", 10, 1, state=S.PARTIALLY_FILLED), 4)
    loss = at(member("loss", 10), 4)
    assert steps(GroupType.BRACKET, entry, profit, loss) == [
        (CANCEL, "entry", Decimal(0)),
        (RESIZE, "loss", Decimal(3)),
    ]


def test_both_exits_of_a_bracket_start_with_the_entrys_fill() -> None:
    members = member("entry", 10, 10), held("profit", 10), held("loss", 10)
    assert steps(GroupType.BRACKET, *members) == [
        (RELEASE, "profit", Decimal(10)),
        (RELEASE, "loss", Decimal(10)),
    ]


def test_a_full_exit_cancels_the_other_one() -> None:
    members = member("entry", 10, 10), member("profit", 10, 10), member("loss", 10)
    assert steps(GroupType.BRACKET, *members) == [(CANCEL, "loss", Decimal(0))]


def test_a_bust_of_the_parents_fill_takes_its_share_back() -> None:
    child = at(member("child", 10), 8)
    assert steps(GroupType.OTO, member("parent", 10, 5), child) == [(RESIZE, "child", Decimal(5))]


# -- why a member's quantity changes ---------------------------------------------------------------

PARENT, GROUP = RestateReason.PARENT_FILLED, RestateReason.GROUP_FILLED


def reason(type: GroupType, quantity: int, asked: int, filled: int, **change: Any) -> RestateReason | None:
    """Why the second member is to have `asked` in place of `quantity`, when the third has filled so much."""
    first = member("first", 10, 8, group_type=type)
    changed = replace(member("second", quantity).terms, quantity=Decimal(asked), **change)
    second = member("second", quantity, group_type=type, replace_terms=changed)
    return restate_reason(second, [first, second, member("third", 10, filled, group_type=type)])


@pytest.mark.parametrize(
    ("type", "quantity", "asked", "filled", "why"),
    [
        (GroupType.OCO, 8, 6, 2, GROUP),
        (GroupType.OCO, 6, 8, 0, GROUP),
        (GroupType.OTO, 4, 8, 2, PARENT),
        (GroupType.OTO, 8, 4, 2, PARENT),
        (GroupType.BRACKET, 4, 8, 0, PARENT),
        (GroupType.BRACKET, 8, 4, 0, PARENT),
        (GroupType.BRACKET, 8, 6, 2, GROUP),
        (GroupType.BRACKET, 4, 6, 2, PARENT),
    ],
)
def test_a_change_of_quantity_is_for_the_parents_fills_or_for_anothers(
    type: GroupType, quantity: int, asked: int, filled: int, why: RestateReason
) -> None:
    assert reason(type, quantity, asked, filled) is why


@pytest.mark.parametrize("type", GroupType)
def test_a_replace_that_leaves_the_quantity_is_the_callers(type: GroupType) -> None:
    assert reason(type, 8, 8, 2, limit_price=Decimal(49)) is None


def test_a_replace_of_an_order_in_no_group_is_the_callers_and_without_one_there_is_no_reason() -> None:
    alone = member("alone", 10, replace_terms=terms("alone", quantity=6))
    assert restate_reason(alone, []) is None
    assert restate_reason(member("b", 10, group_type=GroupType.OCO), []) is None
