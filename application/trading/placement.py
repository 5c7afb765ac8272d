"""What placing orders has in common: the check, the new order, the repeatable answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from application.trading.account_book import AccountBook, exposure
from application.trading.command import Needs
from domain.decimals import ZERO
from domain.errors import AlreadyExists, InvalidArgument, OrderNotPlaced, Violation
from domain.market_data.instrument import Instrument
from domain.risk.services.margin import Margin, MissingPrice, OpenOrders
from domain.risk.services.pre_trade_check import RuleResult, Situation, check, reserve_price, violations
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import GroupType, Side


@dataclass(frozen=True, slots=True)
class CheckedOrder:
    """What every rule said about an order, and the margin without and with it (None: cannot be valued).

    `sequence` names the state of the account that it was checked on.
    """

    results: list[RuleResult]
    before: Margin | None
    buying_power_after: Decimal | None
    reserve_price: Decimal
    currency: str
    base_currency: str
    sequence: int

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer to a placement: the order as it was placed, by event `sequence` (0 when only checked)."""

    order: Order
    sequence: int
    replayed: bool = False
    check: CheckedOrder | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """The part that a new order plays in a group."""

    group_id: str = ""
    group_type: GroupType | None = None
    parent_order_id: str = ""
    held: bool = False


ALONE = Role()


class CheckFailed(OrderNotPlaced):
    """An order that was only checked, or placed with others or not at all, breaks a rule: nothing is recorded."""

    def __init__(self, check: CheckedOrder, terms: OrderTerms) -> None:
        failed = violations(check.results, terms.client_order_id)
        super().__init__(_refused_text(failed), failed)
        self.check = check


def needs_of(terms: OrderTerms) -> Needs:
    return Needs(client_order_ids=(terms.client_order_id,), symbols=(terms.symbol,))


def check_distinct(orders: Iterable[tuple[str, OrderTerms]]) -> None:
    """Raise InvalidArgument when two orders of one request share a client order id; each comes with its path."""
    seen: set[str] = set()
    for path, terms in orders:
        if terms.client_order_id in seen:
            raise InvalidArgument(f"{path}.client_order_id", "must differ from those of the request's other orders")
        seen.add(terms.client_order_id)


def examine(
    book: AccountBook, terms: OrderTerms, *, without: Order | None = None, is_exit: bool = False
) -> CheckedOrder:
    """Hold `terms` against every rule, as a new order or, with `without`, in the place of that one.

    `is_exit`: the position that it reduces is yet to be opened by its parent, and is counted as if it were.
    """
    instrument = book.quotes.instrument(terms.symbol)
    quote = book.quotes.latest(terms.symbol)
    price = reserve_price(terms, quote, book.profile.market_order_buffer)
    filled = without.filled_quantity if without else ZERO
    before, missing = _margin_without(book, without)
    situation = Situation(
        terms=terms,
        now=book.now,
        profile=book.profile,
        base_currency=book.account.base_currency,
        instrument=instrument,
        quote=quote,
        broker_refuses=_broker_refuses(book, terms, instrument),
        broker_shorts=book.broker.capabilities.short_selling,
        position=_position(book, terms, is_exit),
        waiting=_waiting_without(book, terms.symbol, without),
        before=before,
        missing=missing,
        rate=_rate(book, instrument),
        adds=max(ZERO, terms.quantity - filled),
        reserve_price=price,
        costs=_costs(terms, price, without),
    )
    results = check(situation)
    return CheckedOrder(
        results,
        before,
        situation.after_buying_power,
        price,
        instrument.currency if instrument else "",
        book.account.base_currency,
        book.sequence,
    )


def _costs(terms: OrderTerms, price: Decimal, without: Order | None) -> Decimal:
    """The order's notional at worst; a change of one that a broker works is pending at first."""
    if without is None:
        return terms.quantity * price
    if without.held:
        return exposure(replace(without, terms=terms, reserve_price=price))[1]
    return exposure(replace(without, replace_terms=terms, replace_price=price))[1]


def _margin_without(book: AccountBook, without: Order | None) -> tuple[Margin | None, str]:
    open_orders = book.open_orders
    if without is not None and without.terms.symbol in open_orders:
        waiting = _waiting_without(book, without.terms.symbol, without)
        open_orders = open_orders | {without.terms.symbol: waiting} if waiting else open_orders
    try:
        return book.valuation.margin(book.portfolio, open_orders, book.profile.max_leverage), ""
    except MissingPrice as missing:
        return None, str(missing.args[0])


def _waiting_without(book: AccountBook, symbol: str, without: Order | None) -> OpenOrders | None:
    waiting = book.open_orders.get(symbol)
    if waiting is None or without is None:
        return waiting
    quantity, notional = exposure(without)
    if without.terms.side is Side.BUY:
        return replace(
            waiting, buy_quantity=waiting.buy_quantity - quantity, buy_notional=waiting.buy_notional - notional
        )
    return replace(
        waiting, sell_quantity=waiting.sell_quantity - quantity, sell_notional=waiting.sell_notional - notional
    )


def _position(book: AccountBook, terms: OrderTerms, is_exit: bool) -> Decimal:
    held = book.portfolio.positions.get(terms.symbol)
    quantity = held.quantity if held else ZERO
    if is_exit:
        return quantity - terms.quantity * terms.side.sign
    return quantity


def _rate(book: AccountBook, instrument: Instrument | None) -> Decimal | None:
    try:
        return book.valuation.rate(instrument.currency) if instrument else None
    except MissingPrice:
        return None


def _broker_refuses(book: AccountBook, terms: OrderTerms, instrument: Instrument | None) -> str:
    """What the account's broker cannot do about `terms`, empty when it can do all of it."""
    can = book.broker.capabilities
    if terms.type not in can.order_types:
        return f"{terms.type.value} orders"
    if terms.time_in_force not in can.times_in_force:
        return f"time in force {terms.time_in_force.value}"
    if instrument is not None and instrument.asset_class not in can.asset_classes:
        return f"{instrument.asset_class.value} instruments"
    if not can.fractional_quantities and terms.quantity != terms.quantity.to_integral_value():
        return "fractional quantities"
    return ""


def new_order(book: AccountBook, terms: OrderTerms, checked: CheckedOrder, role: Role = ALONE) -> Order:
    """The order that `terms` make, as the next event of the book would record it."""
    return Order.new(
        order_id=book.ids.new_id(),
        account_id=book.account_id,
        terms=terms,
        initial_quantity=terms.quantity,
        broker=book.account.broker,
        currency=checked.currency,
        created_time=book.now,
        updated_time=book.now,
        created_sequence=book.next_sequence,
        sequence=book.next_sequence,
        reserve_price=checked.reserve_price,
        group_id=role.group_id,
        group_type=role.group_type,
        parent_order_id=role.parent_order_id,
        held=role.held,
    )


def accept(book: AccountBook, terms: OrderTerms, checked: CheckedOrder, role: Role = ALONE) -> Placed:
    """Record the order as placed, and send it on after the commit unless it is held."""
    event = book.place(new_order(book, terms, checked, role), EventType.ORDER_PLACED)
    order = event.order
    assert order is not None  # noqa: S101 # an ORDER_PLACED event always has its order
    if not order.held:
        book.outbound.append((book.broker.submit, order))
    return Placed(order, event.sequence)


def refuse(book: AccountBook, terms: OrderTerms, checked: CheckedOrder) -> OrderNotPlaced:
    """Record the order as rejected, so that its id is burned and the answer repeatable."""
    failed = violations(checked.results, terms.client_order_id)
    order = replace(
        new_order(book, terms, checked),
        state=OrderStatus.REJECTED,
        reject_reason=failed[0].rule,
        reason_text="; ".join(violation.description for violation in failed),
    )
    book.place(order, EventType.ORDER_REJECTED, violations=tuple(failed))
    return _not_placed(failed, order)


def _not_placed(failed: Sequence[Violation], order: Order, **more: str) -> OrderNotPlaced:
    ids = {"order_id": order.order_id, "client_order_id": order.terms.client_order_id}
    return OrderNotPlaced(_refused_text(failed), failed, **ids, **more)


def _refused_text(failed: Sequence[Violation]) -> str:
    return "order refused: " + "; ".join(violation.description for violation in failed)


def replayed(book: AccountBook, terms: OrderTerms) -> Placed | None:
    """The first answer to this client order id, None when it is new.

    Raises AlreadyExists for other content, and the first refusal again for an order that was refused.
    """
    first = book.placements.get(terms.client_order_id)
    if first is None or first.order is None:
        return None
    if first.order.terms != terms:
        raise AlreadyExists(
            "client_order_id: used before in this account with other content",
            client_order_id=terms.client_order_id,
            order_id=first.order.order_id,
        )
    if first.type is EventType.ORDER_REJECTED:
        raise _not_placed(first.violations, first.order, replayed="true")
    return Placed(first.order, first.sequence, replayed=True)
