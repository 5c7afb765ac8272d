"""Journal records that bear on an account's risk, as RiskService tells them."""

from collections.abc import Callable
from typing import Any, Final

from application.risk.queries.get_risk_snapshot_query import RiskSnapshot
from domain.trading.events.order_events import Event, EventType
from quantmesh.risk.v1 import risk_event_pb2 as pb
from server.mapping.common import to_timestamp
from server.mapping.exposure import exposure_message, limit_use_message
from server.mapping.order_events import needed
from server.mapping.risk import profile_message, violation_message
from server.mapping.risk_controls import dead_man_switch_message, kill_switch_message, state_message, view_message


def is_risk_event(event: Event) -> bool:
    """Whether RiskService tells it: an order that the broker refused broke no rule."""
    return event.type in _CONTENTS and (event.type is not EventType.ORDER_REJECTED or bool(event.violations))


def risk_event_message(event: Event) -> pb.RiskEvent:
    """The record, which is a risk event."""
    field, content = _CONTENTS[event.type]
    return pb.RiskEvent(
        account_id=event.account_id,
        sequence=event.sequence,
        event_time=to_timestamp(event.event_time),
        actor=event.actor,
        order_id=event.order_id if event.order is None else event.order.order_id,
        **{field: content(event)},
    )


def snapshot_message(snapshot: RiskSnapshot) -> pb.RiskSnapshot:
    """The state of an account's risk."""
    profile = snapshot.profile
    return pb.RiskSnapshot(
        effective_risk_profile=profile_message(profile.effective, profile.trading_state),
        exposure=exposure_message(snapshot.exposure),
        states=map(state_message, snapshot.states),
        kill_switches=map(view_message, snapshot.kill_switches),
        dead_man_switches=map(dead_man_switch_message, snapshot.dead_man_switches),
    )


def _limit_breached(event: Event) -> pb.LimitBreached:
    return pb.LimitBreached(results=map(violation_message, event.violations))


def _limit_warning(event: Event) -> pb.LimitWarning:
    return pb.LimitWarning(limit_use=limit_use_message(needed(event, event.limit_use)))


def _trading_state_updated(event: Event) -> pb.TradingStateUpdated:
    return pb.TradingStateUpdated(state=state_message(needed(event, event.trading_state)))


def _risk_profile_changed(event: Event) -> pb.RiskProfileChanged:
    return pb.RiskProfileChanged(risk_profile=profile_message(needed(event, event.risk_profile), None))


def _kill_switch_changed(event: Event) -> pb.KillSwitchChanged:
    return pb.KillSwitchChanged(kill_switch=kill_switch_message(needed(event, event.kill_switch)))


def _dead_man_switch_changed(event: Event) -> pb.DeadManSwitchChanged:
    return pb.DeadManSwitchChanged(dead_man_switch=dead_man_switch_message(needed(event, event.dead_man_switch)))


# What each kind of record becomes in the oneof `event`: the field, and its message.
_CONTENTS: Final[dict[EventType, tuple[str, Callable[[Event], Any]]]] = {
    EventType.ORDER_REJECTED: ("limit_breached", _limit_breached),
    EventType.LIMIT_BREACHED: ("limit_breached", _limit_breached),
    EventType.LIMIT_WARNING: ("limit_warning", _limit_warning),
    EventType.TRADING_STATE_CHANGED: ("trading_state_updated", _trading_state_updated),
    EventType.RISK_PROFILE_UPDATED: ("risk_profile_changed", _risk_profile_changed),
    EventType.KILL_SWITCH_ENGAGED: ("kill_switch_changed", _kill_switch_changed),
    EventType.KILL_SWITCH_RELEASED: ("kill_switch_changed", _kill_switch_changed),
    EventType.DEAD_MAN_SWITCH_CHANGED: ("dead_man_switch_changed", _dead_man_switch_changed),
}
