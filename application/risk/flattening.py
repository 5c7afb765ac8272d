"""Which orders a kill switch stops, and which it sent itself."""

from application.risk.controls import Controls
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.value_objects.scope import Scope
from domain.trading.aggregates.order import Order

FLATTENS_TAG = "kill_switch"


def is_in_scope(scope: Scope, order: Order) -> bool:
    return scope.covers(order.account_id, order.terms.strategy_id, order.terms.symbol)


def flattened_by(controls: Controls, order: Order) -> KillSwitch | None:
    """The engaged kill switch that sent the order itself, to close a position.

    The tag alone proves nothing, as any caller could set it. But in the scope of a switch nobody else can have placed
    an order since it was engaged, and before that its id was not known.
    """
    source = next((value for name, value in order.terms.tags if name == FLATTENS_TAG), "")
    kill = controls.get(source) if source else None
    if isinstance(kill, KillSwitch) and kill.flatten and is_in_scope(kill.scope, order):
        return kill
    return None
