"""Whether an order that was accepted may still go out to its broker."""

from application.risk.controls import Controls
from application.risk.flattening import flattened_by
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.aggregates.order import Order


def may_leave(controls: Controls, order: Order) -> bool:
    """No, once a kill switch or a halt has come between; but what closes positions for a kill switch always may."""
    of = order.account_id, order.terms.strategy_id, order.terms.symbol
    state = controls.state_for(*of)
    if controls.kill_for(*of) is None and (state is None or state.state is not TradingState.HALTED):
        return True
    return flattened_by(controls, order) is not None
