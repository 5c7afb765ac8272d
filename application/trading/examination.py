"""Holding an order against every rule, on the account as it is at this moment."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from application.trading.account_book import AccountBook, count, open_amount
from domain.decimals import ZERO
from domain.market_data.instrument import Instrument
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import bucket_key
from domain.risk.services.margin import Margin, MissingPrice, OpenOrders
from domain.risk.services.pre_trade_check import RuleResult, Situation, check, passes, reserve_price
from domain.risk.value_objects.limits import SelfMatchAction
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.order_terms import OrderTerms

_OWN = "own order that it could trade with, which an order in a group or a replace can't wait for"


class CheckedOrder(NamedTuple):
    """What every rule said about an order, and the margin without and with it (None: cannot be valued).

    An order that passes has `results` only if an explanation was asked for.

    `sequence` names the state of the account that it was checked on. `waits_for` is an open order of the account that
    it could trade with, and that is to be canceled first.
    """

    results: Sequence[RuleResult]
    before: Margin | None
    buying_power_after: Decimal | None
    reserve_price: Decimal
    currency: str
    base_currency: str
    sequence: int
    waits_for: str = ""

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)


def examine(
    book: AccountBook,
    terms: OrderTerms,
    *,
    without: Order | None = None,
    is_exit: bool = False,
    held: bool = False,
    flattens: bool = False,
    explain: bool = False,
    may_wait: bool = False,
) -> CheckedOrder:
    """Hold `terms` against every rule, as a new order or, with `without`, in the place of that one.

    `is_exit`: the position that it reduces is yet to be opened by its parent, and is counted as if it were.
    `held`: it waits for its parent, and so meets no other order now. `flattens`: it is an order of a kill switch
    itself. `explain`: tell what every rule measured also if all passed.
    `may_wait`: it can wait until an order of the account that it could trade with is canceled.
    """
    limits = book.limits
    instrument = book.quotes.instrument(terms.symbol)
    quote = book.quotes.latest(terms.symbol)
    price = reserve_price(terms, quote, limits.market_order_buffer)
    before, missing = _margin_without(book, without)
    situation = Situation(
        terms=terms,
        now=book.now,
        profile=limits,
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
        adds=terms.quantity if without is None else max(ZERO, terms.quantity - without.filled_quantity),
        reserve_price=price,
        costs=_costs(terms, price, without),
        controls_state=book.controls.state_for(book.account_id, terms.strategy_id, terms.symbol),
        kill=book.controls.kill_for(book.account_id, terms.strategy_id, terms.symbol),
        open_orders=book.open_count - (without is not None),
        is_replace=without is not None,
        replaces=None if without is None else open_amount(without),
        self_match="" if held else book.resting.match(terms, quote, limits.market_order_buffer),
        state=book.risk_state,
        flattens=flattens,
        is_exit=is_exit,
    )
    _remember(situation, book, limits, without)
    results = [] if not explain and passes(situation) else check(situation)
    waits_for = ""
    if situation.self_match and limits.self_match_action is SelfMatchAction.CANCEL_RESTING and not flattens:
        if may_wait:
            waits_for = situation.self_match
        else:
            results = [*check(situation), RuleResult("SELF_MATCH", False, situation.self_match, None, "", _OWN)]
    return CheckedOrder(
        results,
        before,
        situation.after_buying_power,
        price,
        instrument.currency if instrument else "",
        book.account.base_currency,
        book.sequence,
        waits_for,
    )


def _remember(situation: Situation, book: AccountBook, limits: RiskProfile, without: Order | None) -> None:
    """What the rules look back at, as far as the limits ask for it."""
    terms = situation.terms
    if limits.price_collar_window is not None:
        situation.window = book.quotes.price_range(terms.symbol, limits.price_collar_window.seconds)
    rule, rate = ("REPLACE_RATE", limits.replace_rate) if situation.is_replace else ("ORDER_RATE", limits.order_rate)
    if rate is not None:
        situation.rate_tokens = book.risk_state.tokens(rule, rate, book.now)
    if limits.repeated_execution is not None and terms.strategy_id:
        key = bucket_key("REPEATED_EXECUTION", terms.strategy_id)
        situation.executions_left = book.risk_state.tokens(key, limits.repeated_execution, book.now)
    if limits.duplicate_window is not None:
        own = without.order_id if without else ""
        situation.duplicate_of = book.look_alikes.find(terms, book.now, limits.duplicate_window, own)


def _costs(terms: OrderTerms, price: Decimal, without: Order | None) -> Decimal:
    """The order's notional at worst; a change of one that a broker works is pending at first."""
    if without is None:
        return terms.quantity * price
    if without.held:
        return open_amount(replace(without, terms=terms, reserve_price=price))[1]
    return open_amount(replace(without, replace_terms=terms, replace_price=price))[1]


def _margin_without(book: AccountBook, without: Order | None) -> tuple[Margin | None, str]:
    open_orders = book.open_orders
    if without is not None and without.terms.symbol in open_orders:
        waiting = _waiting_without(book, without.terms.symbol, without)
        open_orders = open_orders | {without.terms.symbol: waiting} if waiting else open_orders
    try:
        return book.valuation.margin(book.portfolio, open_orders, book.limits.max_leverage), ""
    except MissingPrice as missing:
        return None, str(missing.args[0])


def _waiting_without(book: AccountBook, symbol: str, without: Order | None) -> OpenOrders | None:
    waiting = book.open_orders.get(symbol)
    if waiting is None or without is None:
        return waiting
    if without.awaits_position:
        return waiting
    quantity, notional = open_amount(without)
    rest = replace(waiting)
    count(rest, without, -quantity, -notional)
    return rest


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
