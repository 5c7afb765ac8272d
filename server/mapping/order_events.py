"""Fills and journal records as the contract tells them."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from domain.decimals import plain
from domain.risk.aggregates.dead_man_switch import DeadManState
from domain.risk.value_objects.scope import ScopeKind
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.events.order_events import Event, EventType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import CancelReason, Liquidity, RestateReason
from quantmesh.trading.v1 import fill_pb2, order_event_pb2
from server.mapping.common import decimal_or_empty, optional_enum_table, to_timestamp
from server.mapping.orders import CANCEL_REASONS, SIDES, TIMES_IN_FORCE, order_message
from server.mapping.risk import TRADING_STATES, contract_path, limit_reached_message, violation_message

T = TypeVar("T")

_LIQUIDITIES: Final = optional_enum_table(fill_pb2.Liquidity, Liquidity, "LIQUIDITY")
_RESTATE_REASONS: Final = optional_enum_table(order_event_pb2.RestateReason, RestateReason, "RESTATE_REASON")


def fill_message(fill: Fill, sequence: int | None = None) -> fill_pb2.Fill:
    """The fill as it counts now, or no longer does; `sequence` is that of the event that tells so."""
    return fill_pb2.Fill(
        fill_id=fill.fill_id,
        order_id=fill.order_id,
        client_order_id=fill.client_order_id,
        account_id=fill.account_id,
        symbol=fill.symbol,
        side=SIDES[fill.side],
        quantity=plain(fill.quantity),
        price=plain(fill.price),
        fee=plain(fill.fee),
        fee_currency=fill.fee_currency,
        fill_time=to_timestamp(fill.fill_time),
        sequence=fill.sequence if sequence is None else sequence,
        strategy_id=fill.strategy_id,
        liquidity=_LIQUIDITIES[fill.liquidity],
        execution_id=fill.execution_id,
        realized_pnl=decimal_or_empty(fill.realized_pnl),
        busted=fill.busted,
        corrects_fill_id=fill.corrects_fill_id,
    )


def event_message(event: Event) -> order_event_pb2.OrderEvent:
    """The journal record, with the order after it."""
    field, content = _CONTENTS[event.type]
    return order_event_pb2.OrderEvent(
        account_id=event.account_id,
        sequence=event.sequence,
        event_time=to_timestamp(event.event_time),
        actor=event.actor,
        order=None if event.order is None else order_message(event.order),
        **{field: content(event)},
    )


def needed(event: Event, part: T | None) -> T:
    """`part` of the event; ValueError when an event of its type lacks it."""
    if part is None:
        raise ValueError(f"{event.type.value} {event.sequence} of {event.account_id} is incomplete")
    return part


def _order_of(event: Event) -> Order:
    return needed(event, event.order)


def _fill_of(event: Event) -> fill_pb2.Fill | None:
    return None if event.fill is None else fill_message(event.fill, event.sequence)


def _corrected(event: Event) -> order_event_pb2.FillCorrected:
    before = event.replaced_fill
    return order_event_pb2.FillCorrected(
        fill=_fill_of(event), corrected_fill=None if before is None else fill_message(before, event.sequence)
    )


def _cancel_requested(event: Event) -> order_event_pb2.CancelRequested:
    reason = CANCEL_REASONS[_order_of(event).cancel_reason]
    return order_event_pb2.CancelRequested(reason=reason, text=event.reason)


def _replace_requested(event: Event) -> order_event_pb2.ReplaceRequested:
    """Only what differs from the terms in force."""
    order = _order_of(event)
    asked, present = order.replace_terms or order.terms, order.terms
    changes: dict[str, Any] = {
        name: plain(getattr(asked, name)) for name in _DECIMAL_TERMS if _differs(name, asked, present)
    }
    if _differs("time_in_force", asked, present):
        changes["time_in_force"] = TIMES_IN_FORCE[asked.time_in_force]
    if _differs("expire_time", asked, present) and asked.expire_time is not None:
        changes["expire_time"] = to_timestamp(asked.expire_time)
    return order_event_pb2.ReplaceRequested(**changes)


_DECIMAL_TERMS = ("quantity", "limit_price", "stop_price", "trail_offset", "trail_percent")


def _differs(name: str, asked: OrderTerms, present: OrderTerms) -> bool:
    value = getattr(asked, name)
    return value is not None and value != getattr(present, name)


def _account_created(event: Event) -> order_event_pb2.AccountCreated:
    account = needed(event, event.account)
    return order_event_pb2.AccountCreated(
        broker=account.broker, base_currency=account.base_currency, starting_cash=plain(account.starting_cash)
    )


def _risk_profile_updated(event: Event) -> order_event_pb2.RiskProfileUpdated:
    profile = needed(event, event.risk_profile)
    return order_event_pb2.RiskProfileUpdated(
        version=profile.version, paths=map(contract_path, event.changed_paths), firm=not profile.account_id
    )


def _trading_state_changed(event: Event) -> order_event_pb2.TradingStateChanged:
    now = needed(event, event.trading_state)
    scope = now.scope
    return order_event_pb2.TradingStateChanged(
        trading_state=TRADING_STATES[now.state],
        # What was never set is ACTIVE.
        previous_trading_state=TRADING_STATES[event.previous_state or TradingState.ACTIVE],
        strategy_id=scope.key if scope.kind is ScopeKind.STRATEGY else "",
        symbol=scope.key if scope.kind is ScopeKind.SYMBOL else "",
        reason=now.reason,
    )


def _limit_breached(event: Event) -> order_event_pb2.RiskLimitReached:
    first = next(map(violation_message, event.violations), None)
    return order_event_pb2.RiskLimitReached(result=first, order_id=event.order_id)


def _kill_switch_engaged(event: Event) -> order_event_pb2.KillSwitchEngaged:
    switch = needed(event, event.kill_switch)
    return order_event_pb2.KillSwitchEngaged(kill_switch_id=switch.kill_switch_id, reason=switch.reason)


def _kill_switch_released(event: Event) -> order_event_pb2.KillSwitchReleased:
    switch = needed(event, event.kill_switch)
    return order_event_pb2.KillSwitchReleased(kill_switch_id=switch.kill_switch_id, reason=switch.release_reason)


def _dead_man_switch_changed(event: Event) -> order_event_pb2.DeadManSwitchChanged:
    switch = needed(event, event.dead_man_switch)
    return order_event_pb2.DeadManSwitchChanged(
        dead_man_switch_id=switch.dead_man_switch_id,
        armed=switch.state is DeadManState.ARMED,
        kill_switch_id=switch.kill_switch_id,
    )


pb = order_event_pb2

# What each kind of record becomes in the oneof `event`: the field, and its message.
_CONTENTS: Final[dict[EventType, tuple[str, Callable[[Event], Any]]]] = {
    EventType.ORDER_PLACED: ("placed", lambda e: pb.OrderPlaced()),
    EventType.ORDER_REJECTED: ("rejected", lambda e: pb.OrderRejected(failed_rules=[v.rule for v in e.violations])),
    EventType.ORDER_ACTIVATED: ("activated", lambda e: pb.OrderActivated()),
    EventType.ORDER_ACCEPTED: ("accepted", lambda e: pb.OrderAccepted()),
    EventType.STOP_MOVED: (
        "stop_moved",
        lambda e: pb.StopMoved(stop_price=decimal_or_empty(_order_of(e).active_stop_price)),
    ),
    EventType.ORDER_TRIGGERED: (
        "triggered",
        lambda e: pb.OrderTriggered(trigger_price=decimal_or_empty(_order_of(e).active_stop_price)),
    ),
    EventType.ORDER_FILLED: ("filled", lambda e: pb.OrderFilled(fill=_fill_of(e))),
    EventType.FILL_BUSTED: ("fill_busted", lambda e: pb.FillBusted(fill=_fill_of(e), text=e.reason)),
    EventType.FILL_CORRECTED: ("fill_corrected", _corrected),
    EventType.CANCEL_REQUESTED: ("cancel_requested", _cancel_requested),
    EventType.CANCEL_REJECTED: ("cancel_rejected", lambda e: pb.CancelRejected(text=e.reason)),
    EventType.ORDER_CANCELED: ("canceled", lambda e: pb.OrderCanceled(text=e.reason)),
    EventType.REPLACE_REQUESTED: ("replace_requested", _replace_requested),
    EventType.REPLACE_REJECTED: ("replace_rejected", lambda e: pb.ReplaceRejected(text=e.reason)),
    EventType.ORDER_REPLACED: ("replaced", lambda e: pb.OrderReplaced()),
    EventType.ORDER_RESTATED: (
        "restated",
        lambda e: pb.OrderRestated(reason=_RESTATE_REASONS[e.restate_reason], text=e.reason),
    ),
    EventType.ORDER_EXPIRED: ("expired", lambda e: pb.OrderExpired()),
    EventType.SUBMISSION_UNKNOWN: ("submission_unknown", lambda e: pb.SubmissionUnknown(text=e.reason)),
    EventType.SUBMISSION_RESOLVED: (
        "submission_resolved",
        lambda e: pb.SubmissionResolved(found=_order_of(e).cancel_reason is not CancelReason.NEVER_SUBMITTED),
    ),
    EventType.ACCOUNT_CREATED: ("account_created", _account_created),
    EventType.RISK_PROFILE_UPDATED: ("risk_profile_updated", _risk_profile_updated),
    EventType.TRADING_STATE_CHANGED: ("trading_state_changed", _trading_state_changed),
    EventType.LIMIT_BREACHED: ("risk_limit_reached", _limit_breached),
    EventType.LIMIT_WARNING: (
        "risk_limit_reached",
        lambda e: pb.RiskLimitReached(result=limit_reached_message(needed(e, e.limit_use))),
    ),
    EventType.KILL_SWITCH_ENGAGED: ("kill_switch_engaged", _kill_switch_engaged),
    EventType.KILL_SWITCH_RELEASED: ("kill_switch_released", _kill_switch_released),
    EventType.DEAD_MAN_SWITCH_CHANGED: ("dead_man_switch_changed", _dead_man_switch_changed),
}
