"""What an account's writer does by itself when a limit is reached by what happened."""

from dataclasses import replace

from application.risk.controls import state_id
from application.trading.account_book import SYSTEM, AccountBook
from domain.decimals import ONE, plain
from domain.errors import Violation
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_state import bucket_key
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.scope import Scope, ScopeKind, of_account
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.entities.fill import Fill
from domain.trading.events.order_events import EventType


def restrict(book: AccountBook, scope: Scope, state: TradingState, reason: str) -> None:
    """Set the scope's trading state unless it is as severe already. In force at once, and stored with this commit."""
    before = book.controls.state_of(scope)
    if before is not None and before.state.severity >= state.severity:
        return
    version = before.version + 1 if before else 1
    after = ScopedTradingState(scope, state, version, reason, SYSTEM, book.now)
    book.controls.put(after)
    id = state_id(scope)
    book.batch.controls[id] = after
    book.keep_risk_state(replace(book.risk_state, noted={**book.risk_state.noted, id: version}))
    previous = before.state if before else TradingState.ACTIVE
    book.record(EventType.TRADING_STATE_CHANGED, trading_state=after, previous_state=previous, reason=reason)


def flatten_account(book: AccountBook, reason: str) -> None:
    """Engage the account's kill switch, which cancels and flattens; the supervisor carries it out."""
    scope = of_account(book.account_id)
    before = book.controls.engaged(scope)
    if before is not None and before.flatten:
        return
    if before is None:
        kill = KillSwitch(book.ids.new_id(), scope, True, True, reason, SYSTEM, book.now)
    else:
        kill = replace(before, cancel_orders=True, flatten=True, version=before.version + 1)
    book.controls.put(kill)
    book.batch.controls[kill.kill_switch_id] = kill
    book.keep_risk_state(replace(book.risk_state, noted={**book.risk_state.noted, kill.kill_switch_id: kill.version}))
    book.record(EventType.KILL_SWITCH_ENGAGED, kill_switch=replace(kill, orders=()), reason=reason)


def count_execution(book: AccountBook, fill: Fill) -> None:
    """An execution of a strategy has happened. One too many in the time halts the strategy in this account."""
    limit = book.limits.repeated_execution
    if limit is None or not fill.strategy_id:
        return
    book.take_token("REPEATED_EXECUTION", limit, fill.strategy_id)
    left = book.risk_state.tokens(bucket_key("REPEATED_EXECUTION", fill.strategy_id), limit, book.now)
    if left >= ONE:
        return
    actor, book.actor = book.actor, SYSTEM
    scope = Scope(ScopeKind.STRATEGY, book.account_id, fill.strategy_id)
    often = f"{limit.count} executions of the strategy in {plain(limit.period)} s"
    text = f"{often}: halted until a risk manager turns it on again"
    value, most = plain(limit.count - left), str(limit.count)
    reached = Violation("REPEATED_EXECUTION", fill.strategy_id, text, value, most, "executions")
    book.record(EventType.LIMIT_BREACHED, violations=(reached,))
    restrict(book, scope, TradingState.HALTED, text)
    book.actor = actor
