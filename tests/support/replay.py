"""The read models once more, from nothing but the journal."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from domain.risk.aggregates.risk_profile import RiskProfile
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill
from domain.trading.events.order_events import Event
from tests.support.model import agrees, cash_after, worked_out
from tests.support.records import Records


@dataclass
class Replayed:
    """Orders by id, fills by execution id."""

    orders: dict[str, Order] = field(default_factory=dict)
    fills: dict[str, Fill] = field(default_factory=dict)
    profile: RiskProfile | None = None

    @property
    def counting(self) -> list[Fill]:
        return sorted((fill for fill in self.fills.values() if not fill.busted), key=lambda fill: fill.place)


def replayed(events: Iterable[Event]) -> Replayed:
    state = Replayed()
    for event in events:
        if event.order is not None:
            state.orders[event.order.order_id] = event.order
        for fill in (event.replaced_fill, event.fill):
            if fill is not None:
                state.fills[fill.execution_id] = fill
        if event.risk_profile is not None:
            state.profile = event.risk_profile
    return state


def require_read_models_equal_a_replay(records: Records, start: Mapping[str, Decimal]) -> None:
    """Whole quantities only: the model counts them one by one."""
    state = replayed(records.events)
    assert records.orders == state.orders
    assert records.fills == state.fills
    assert state.profile is None or records.profile == state.profile
    holdings = worked_out(state.counting)
    for symbol, position in records.positions.items():
        assert agrees(position, holdings[symbol]) if symbol in holdings else not position.quantity
    assert holdings.keys() <= records.positions.keys()
    assert {c: a for c, a in records.cash.items() if a} == cash_after(dict(start), state.counting)
