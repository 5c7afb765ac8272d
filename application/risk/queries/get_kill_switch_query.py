"""A kill switch, and what has become of the orders that were open in its scope."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from application.ports.broker import Broker
from application.ports.journal import JournalUnavailable
from application.risk.enforcement import OrderKey
from application.trading.trading_engine import TradingEngine
from domain.errors import Unavailable
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.terms import Term
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus

_SILENT_SECONDS = 5
_PAGE = 1_000


class OutcomeState(Term):
    """Where an order in the scope stands; RETRYING: its broker is silent or has refused, and is asked again."""

    CANCELING = "CANCELING"
    CANCELED = "CANCELED"
    ENDED = "ENDED"
    RETRYING = "RETRYING"
    LEFT_OPEN = "LEFT_OPEN"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` is why the last cancel did not go through."""

    order: Order
    state: OutcomeState
    error: Unavailable | None = None


@dataclass(frozen=True, slots=True)
class KillSwitchView:
    """`open_order_count`: how many of `kill.orders` are still open. `outcomes` in the order of `kill.orders`."""

    kill: KillSwitch
    open_order_count: int
    outcomes: tuple[Outcome, ...] = ()


def count_open(engine: TradingEngine, kill: KillSwitch) -> int:
    """How many of the switch's orders are open. Every open order is in its account's memory."""
    found = (engine.writer(account_id).book.orders.get(order_id) for account_id, order_id in kill.orders)
    return sum(order is not None and order.is_open for order in found)


async def view_kill_switch(
    engine: TradingEngine, kill: KillSwitch, tries: Mapping[OrderKey, int], now: datetime
) -> KillSwitchView:
    """The switch with an outcome for each of its orders, as committed; raises Unavailable.

    `tries`: how often a cancel was asked for, as far as is known.
    """
    orders = await _orders(engine, kill)
    outcomes = [
        outcome_of(kill, order, engine.broker(order.broker), tries.get((order.account_id, order.order_id), 0), now)
        for order in (orders.get(key) for key in kill.orders)
        if order is not None
    ]
    return KillSwitchView(kill, sum(outcome.order.is_open for outcome in outcomes), tuple(outcomes))


async def _orders(engine: TradingEngine, kill: KillSwitch) -> dict[OrderKey, Order]:
    ids = defaultdict(list)
    for account_id, order_id in kill.orders:
        ids[account_id].append(order_id)
    found: dict[OrderKey, Order] = {}
    try:
        for account_id, wanted in ids.items():
            for start in range(0, len(wanted), _PAGE):
                page = await engine.journal.orders_by_id(account_id, wanted[start : start + _PAGE])
                found |= {(account_id, order.order_id): order for order in page}
    except JournalUnavailable as error:
        raise Unavailable("the orders cannot be read: repeat the same request") from error
    return found


def outcome_of(kill: KillSwitch, order: Order, broker: Broker, tries: int, now: datetime) -> Outcome:
    """Where one order of the switch stands."""
    if not order.is_open:
        canceled = order.state is OrderStatus.CANCELED
        return Outcome(order, OutcomeState.CANCELED if canceled else OutcomeState.ENDED)
    if not order.cancel_pending and not (kill.engaged and kill.cancel_orders):
        return Outcome(order, OutcomeState.LEFT_OPEN)
    trouble = _trouble(order, broker, tries, now)
    if trouble:
        error = Unavailable(trouble, reason="BROKER_UNAVAILABLE", broker=broker.name)
        return Outcome(order, OutcomeState.RETRYING, error)
    return Outcome(order, OutcomeState.CANCELING if order.cancel_pending else OutcomeState.RETRYING)


def _trouble(order: Order, broker: Broker, tries: int, now: datetime) -> str:
    """Why the cancel has not come through so far, empty when nothing speaks against it."""
    if not broker.connected:
        return f"broker {broker.name} cannot be reached"
    if tries > 1 or (tries and not order.cancel_pending):
        return f"broker {broker.name} refused the cancel: {order.reason_text or 'it gave no reason'}"
    if order.cancel_pending and now - order.updated_time >= timedelta(seconds=_SILENT_SECONDS):
        return f"broker {broker.name} has not answered the cancel"
    return ""
