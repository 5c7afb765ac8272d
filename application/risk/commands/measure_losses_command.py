"""Value the account, remember its highs, and act when a loss limit is passed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from application.risk.flattening import flattened_by
from application.risk.limit_usage import usage_of
from application.risk.reactions import flatten_account, restrict
from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.group_steps import follow_group
from application.trading.requests import request_cancel
from domain.decimals import ZERO, plain, settle
from domain.errors import Violation
from domain.risk.services.limit_use import limit_uses, warnings
from domain.risk.value_objects.limits import LimitUse, LossAction
from domain.risk.value_objects.scope import of_account
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.aggregates.order import Order
from domain.trading.events.order_events import EventType
from domain.trading.value_objects.order_type import CancelReason


@dataclass(frozen=True, slots=True)
class MeasureLosses:
    """Repeat it: what has not changed is not recorded. An account that cannot be valued is left as it is."""

    account_id: str
    actor: str

    def needs(self) -> Needs:
        return Needs(valued=True)

    def decide(self, book: AccountBook) -> None:
        margin = usage_of(book).margin
        if margin is None:
            return
        limits = book.limits
        state = book.risk_state.valued(margin.equity, book.now, limits.day_start)
        if state is not book.risk_state:
            book.keep_risk_state(state)
        uses = limit_uses(limits, usage_of(book))
        _warn(book, *warnings(uses, state.warned, limits.warn_at_percent))
        passed = book.risk_state.passed(limits, margin.equity)
        news = passed - state.breached
        if passed != state.breached:
            book.keep_risk_state(replace(book.risk_state, breached=passed))
        if not news:
            return
        reached = [
            Violation(
                use.rule,
                book.account_id,
                f"the account's loss: {plain(settle(use.value))} {use.unit}, limit {plain(use.limit)} {use.unit}",
                plain(settle(use.value)),
                plain(use.limit),
                use.unit,
            )
            for use in uses
            if use.rule in news
        ]
        book.record(EventType.LIMIT_BREACHED, violations=tuple(reached))
        _ACTIONS[limits.loss_action](book, "; ".join(violation.description for violation in reached))


def _warn(book: AccountBook, news: Sequence[LimitUse], warned: frozenset[str]) -> None:
    for use in news:
        book.record(EventType.LIMIT_WARNING, limit_use=use)
    if warned != book.risk_state.warned:
        book.keep_risk_state(replace(book.risk_state, warned=warned))


# -- what is done about it ------------------------------------------------------------------------------------


def _reduce(book: AccountBook, why: str) -> None:
    restrict(book, of_account(book.account_id), TradingState.REDUCING, why)
    raising = _raising(book)
    _cancel(book, why, lambda order: order.order_id in raising)


def _halt(book: AccountBook, why: str) -> None:
    restrict(book, of_account(book.account_id), TradingState.HALTED, why)
    _cancel(book, why, lambda order: True)


def _flatten(book: AccountBook, why: str) -> None:
    _halt(book, why)
    flatten_account(book, why)


def _notify(book: AccountBook, why: str) -> None:
    """The event says it, and the rules refuse what raises exposure while the limit is passed."""


_ACTIONS: Final[dict[LossAction, Callable[[AccountBook, str], None]]] = {
    LossAction.REDUCE: _reduce,
    LossAction.HALT: _halt,
    LossAction.FLATTEN: _flatten,
    LossAction.NOTIFY: _notify,
}


def _raising(book: AccountBook) -> set[str]:
    """The orders that could do more than close what is held, the older ones being served first."""
    closes = {symbol: position.quantity for symbol, position in book.portfolio.positions.items()}
    raising = set()
    for order in sorted(book.open(), key=lambda order: order.created_sequence):
        held, terms = closes.get(order.terms.symbol, ZERO), order.terms
        left = held + order.leaves_quantity * terms.side.sign
        if terms.reduce_only:
            continue
        if held * terms.side.sign >= ZERO or left * held < ZERO:
            raising.add(order.order_id)
        else:
            closes[terms.symbol] = left
    return raising


def _cancel(book: AccountBook, why: str, concerns: Callable[[Order], bool]) -> None:
    for order_id in [order.order_id for order in book.open() if concerns(order)]:
        order = book.orders[order_id]
        # A group may have canceled it meanwhile.
        if order.is_open and not order.cancel_pending and flattened_by(book.controls, order) is None:
            follow_group(book, request_cancel(book, order, CancelReason.KILL_SWITCH, why))
