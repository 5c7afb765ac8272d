"""Orders that act on each other: OCO, OTO and BRACKET.

Nothing about a group is remembered besides its members: what must happen next follows from the members'
present states, so it is the same before and after a restart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from domain.decimals import ZERO, round_down
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.order_type import GroupType, RestateReason


class GroupAction(Enum):
    RELEASE = "RELEASE"
    RESIZE = "RESIZE"
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True)
class GroupStep:
    """One thing to do to a member now; `quantity` is the member's new total for RELEASE and RESIZE."""

    action: GroupAction
    order: Order
    quantity: Decimal = ZERO


def next_steps(group_type: GroupType, members: Sequence[Order], lot_size: Decimal) -> list[GroupStep]:
    """What the group asks for, given its `members` in the order they were placed.

    OTO and BRACKET: the first member is the parent. A child is released at the parent's first fill and from
    then on follows what the parent has filled (its initial share of it, down to the lot); a child that was
    never released is cancelled when the parent has closed without a fill.
    OCO, and the exits of a BRACKET: what one member fills, the others lose. An exit that fills while its
    entry still works cancels the rest of the entry.
    """
    if group_type is GroupType.OCO:
        return [
            step
            for member in members
            for step in _resized(member, _less_siblings(member, members, member.initial_quantity, lot_size), True)
        ]
    parent, children = members[0], members[1:]
    steps = []
    exits_filled = group_type is GroupType.BRACKET and any(child.filled_quantity for child in children)
    if exits_filled and parent.is_open and not parent.cancel_pending:
        steps.append(GroupStep(GroupAction.CANCEL, parent))
    for child in children:
        # Never above what the child was checked with, even when the parent grew by a replace. Multiplied first:
        # a third, and then three of it, would fall short of the lot.
        filled = min(parent.filled_quantity, parent.initial_quantity)
        target = child.initial_quantity * filled / parent.initial_quantity
        if group_type is GroupType.BRACKET:
            target = _less_siblings(child, children, target, lot_size)
        steps += _resized(child, round_down(target, lot_size), not parent.is_open)
    return steps


def restate_reason(member: Order, members: Sequence[Order]) -> RestateReason | None:
    """Why the group asked for the replace that is pending for `member`; None for one of the caller's.

    A member's quantity is its group's matter alone, so what changes it was asked for by a RESIZE. A bracket's exit is
    lowered by what the other one fills, and otherwise follows the entry.
    """
    asked = member.replace_terms
    if asked is None or member.group_type is None or asked.quantity == member.terms.quantity:
        return None
    if member.group_type is GroupType.OCO:
        return RestateReason.GROUP_FILLED
    was_lowered = asked.quantity < member.terms.quantity
    shares = member.group_type is GroupType.BRACKET and any(o.filled_quantity for o in members[1:] if o is not member)
    return RestateReason.GROUP_FILLED if shares and was_lowered else RestateReason.PARENT_FILLED


def _less_siblings(member: Order, siblings: Sequence[Order], full: Decimal, lot_size: Decimal) -> Decimal:
    taken = sum((other.filled_quantity for other in siblings if other is not member), ZERO)
    return max(ZERO, round_down(full - taken, lot_size))


def _resized(member: Order, target: Decimal, is_final: bool) -> list[GroupStep]:
    """The step that brings `member` to `target`; nothing is cancelled for good before the target `is_final`."""
    if not member.is_open or member.cancel_pending:
        return []
    if target <= member.filled_quantity:
        return [GroupStep(GroupAction.CANCEL, member)] if is_final else []
    if member.held:
        return [GroupStep(GroupAction.RELEASE, member, target)]
    if target != member.terms.quantity and member.can_be_replaced:
        return [GroupStep(GroupAction.RESIZE, member, target)]
    return []
