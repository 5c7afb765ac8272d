"""What must be: every event of the journal and everything that leaves is held against a plain model as it comes."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product
from typing import Any

from application.trading.commands.replace_order_command import Change
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.value_objects.scope import EVERYTHING, Scope, ScopeKind, of_account
from domain.trading.aggregates.order import Order
from domain.trading.events.order_events import Event
from domain.trading.value_objects.order_terms import OrderTerms
from tests.proof.plain_limits import Limits
from tests.proof.plain_model import MODELLED, Account, Known, Prices
from tests.proof.site import ACCOUNTS, Site
from tests.proof.uncertain import Uncertain
from tests.support.trading import START

# The mildest first.
STATES = ("ACTIVE", "REDUCING", "HALTED")
SCOPES = (
    EVERYTHING,
    *map(of_account, ACCOUNTS),
    Scope(ScopeKind.SYMBOL, "", "ACME"),
    Scope(ScopeKind.SYMBOL, "left", "BOLT"),
    Scope(ScopeKind.STRATEGY, "", "alpha"),
)


class Broken(AssertionError):
    """What must never be, has been."""


@dataclass(frozen=True)
class Kill:
    """What a kill switch may be like in one scope."""

    engaged: bool = False
    cancels: bool = False
    flattens: bool = False


def covers(scope: Scope, account_id: str, order: OrderTerms) -> bool:
    """Whether an order is in the scope, in so many words."""
    if scope.account_id and scope.account_id != account_id:
        return False
    named = {ScopeKind.SYMBOL: order.symbol, ScopeKind.STRATEGY: order.strategy_id}
    return scope.kind not in named or named[scope.kind] == scope.key


class Judge:
    """What managers asked for: `firm`, `kills`, `states`; callers: `wanted` by client order id, `requests` by actor.

    `prices` since when. `faults`: what is wrong, and can't be said where it is found. `seen` counts what came about.
    """

    def __init__(self, site: Site, seen: Counter[str]) -> None:
        self.books = {account_id: Account(account_id) for account_id in ACCOUNTS}
        self.firm = Uncertain(START, Limits())
        self.kills = {scope: Uncertain(START, Kill()) for scope in SCOPES}
        self.states = {scope: Uncertain(START, "ACTIVE") for scope in SCOPES}
        self.prices: list[tuple[datetime, Prices]] = [(START, dict(site.spreads))]
        self.requests: dict[str, Change] = {}
        self.wanted: dict[str, OrderTerms] = {}
        self.faults: list[str] = []
        self.seen = seen
        self._booked: set[str] = set()
        self._site = site
        site.venue.leaving = self.leaves

    def require_nothing_wrong(self) -> None:
        """Raises Broken."""
        self.catch_up()
        if self.faults:
            raise Broken("; ".join(self.faults))

    def orders(self) -> list[tuple[str, str, Known]]:
        return [(account, id, order) for account, book in self.books.items() for id, order in book.orders.items()]

    # -- what managers have asked for -----------------------------------------------------------------

    def engaged(self, scope: Scope) -> bool:
        """Whether a kill switch of that scope is engaged for sure."""
        return all(kill.engaged for kill in self.kills[scope].now)

    def read_controls(self) -> None:
        """What a new process goes by is what is stored."""
        now, stored = self._site.clock.now(), self._site.database.state.controls
        firm = stored.get("firm_profile")
        self.firm.settle(now, Limits.of(firm) if firm else Limits())
        engaged = {k.scope: k for k in stored.values() if isinstance(k, KillSwitch) and k.engaged}
        states = {key: control for key, control in stored.items() if key.startswith("state:")}
        for scope in SCOPES:
            kill = engaged.get(scope)
            self.kills[scope].settle(now, Kill(True, kill.cancel_orders, kill.flatten) if kill else Kill())
            state: Any = states.get(f"state:{scope.kind.value}:{scope.account_id}:{scope.key}")
            self.states[scope].settle(now, state.state.value if state else "ACTIVE")

    # -- what was decided ----------------------------------------------------------------------------

    def catch_up(self) -> None:
        for account_id in ACCOUNTS:
            self.told(account_id)

    def told(self, account_id: str) -> Account:
        """The account, told all that is in its journal by now; what was decided in it is judged on the way."""
        book = self.books[account_id]
        for event in self._site.events(account_id, book.sequence):
            prices = next(prices for time, prices in reversed(self.prices) if time <= event.event_time)
            self._judge(book, event, prices)
            book.tell(event, prices)
        return book

    def _judge(self, book: Account, event: Event, prices: Prices) -> None:
        name, order = event.type.value, event.order
        known = book.orders.get(order.order_id if order else event.order_id)
        if order is not None and known is None:
            self._judge_new(book, event, order, prices)
        elif known is None:
            return
        elif name == "LIMIT_BREACHED":
            change = self.requests[event.actor]
            asked = replace(
                known.terms,
                quantity=change.quantity or known.terms.quantity,
                limit_price=change.limit_price or known.terms.limit_price,
            )
            self._hold_against(book, event, book.changed(known, asked, prices, event.event_time), prices, is_new=False)
        elif order is not None and name == "REPLACE_REQUESTED":
            assert order.replace_terms is not None
            self._judge_change(book, event, known, order.replace_terms, prices)
        elif order is not None and name == "ORDER_REPLACED" and known.asked is None:
            self._judge_change(book, event, known, order.terms, prices)
        elif order is not None and name == "ORDER_ACTIVATED":
            self._judge_release(book, known, order, prices)
        elif order is not None:
            self._judge_report(event, known, order)

    def _judge_new(self, book: Account, event: Event, order: Order, prices: Prices) -> None:
        wanted = book.wanted(order.order_id, order.terms, prices, event.event_time)
        if wanted.flattens:
            self._judge_flattening(book, event, wanted)
        elif order.terms != self.wanted[order.terms.client_order_id]:
            raise Broken(f"{order.order_id} is not what its caller asked for")
        self._hold_against(book, event, wanted, prices, is_new=True)
        if event.type.value == "ORDER_PLACED" and not wanted.flattens:
            actions = {book.limits.under(firm).self_match for firm in self.firm.at(event.event_time)}
            met = book.met_by(wanted, prices)
            if order.held != (met is not None and "CANCEL_RESTING" in actions) and len(actions) == 1:
                raise Broken(f"{order.order_id} does not wait for {met}, or for nothing")
            self.seen["waits"] += order.held

    def _judge_change(self, book: Account, event: Event, known: Known, asked: OrderTerms, prices: Prices) -> None:
        changed = book.changed(known, asked, prices, event.event_time)
        self._hold_against(book, event, changed, prices, is_new=False)
        self.seen["replaced"] += 1

    def _judge_flattening(self, book: Account, event: Event, order: Known) -> None:
        """It closes, for a switch that says so, no more than is held."""
        kills = [self.kills[scope] for scope in SCOPES if covers(scope, book.account_id, order.terms)]
        if not any(kill.flattens for kinds in kills for kill in kinds.at(event.event_time)):
            raise Broken(f"{order.order_id} closes a position for no kill switch")
        if not order.only_reduces or -order.sign * book.position[order.symbol] < order.quantity:
            raise Broken(f"{order.order_id} closes more than is held")
        self.seen["flattens"] += 1

    def _judge_release(self, book: Account, known: Known, order: Order, prices: Prices) -> None:
        met = book.met_by(known, prices)
        if (not order.held and met is not None) or (order.held and met is None):
            raise Broken(f"{known.order_id} goes out to meet {met}, or waits for nothing")

    def _judge_report(self, event: Event, known: Known, order: Order) -> None:
        """Only the venue says that an order has ended or has filled, and a fill counts once."""
        ticket = self._site.venue.tickets.get(known.order_id)
        if event.fill is not None:
            said = self._site.venue.executions[event.fill.execution_id]
            if event.fill.execution_id in self._booked:
                raise Broken(f"{event.fill.execution_id} is booked twice")
            self._booked.add(event.fill.execution_id)
            if (said.order_id, said.quantity, said.price) != (known.order_id, event.fill.quantity, event.fill.price):
                raise Broken(f"{event.fill.execution_id} is not what the venue said")
            self.seen["proven"] += known.asked is not None and order.replace_terms is None
        elif event.type.value in ("ORDER_CANCELED", "ORDER_EXPIRED", "ORDER_REJECTED") and ticket and ticket.live:
            raise Broken(f"{known.order_id} has ended here, and not at the venue")

    def _hold_against(self, book: Account, event: Event, order: Known, prices: Prices, *, is_new: bool) -> None:
        said = frozenset(violation.rule for violation in event.violations)
        possible = {
            book.breaks(
                order, book.limits.under(firm), prices, event.event_time, is_new=is_new, state=state, killed=killed
            )
            for firm, state, killed in self._circumstances(book.account_id, order.terms, event)
        }
        self.seen.update(said or ["accepted"])
        if said not in possible:
            what = "new order" if is_new else "replace"
            raise Broken(f"{what} {order} was told {set(said)}, and breaks {possible} of {book.limits}")
        if said - MODELLED:
            raise Broken(f"refused for {said}")

    def _circumstances(self, account_id: str, order: OrderTerms, event: Event) -> Iterator[tuple[Limits, str, bool]]:
        """Whatever may have held when it was decided. While a ceiling changes, the stricter of both may."""
        concerned = [scope for scope in SCOPES if covers(scope, account_id, order)]
        kills = [{kill.engaged for kill in self.kills[scope].at(event.event_time)} for scope in concerned]
        states = [self.states[scope].at(event.event_time) for scope in concerned]
        killed = {any(ones) for ones in product(*kills)}
        state = {max(ones, key=STATES.index) for ones in product(*states)}
        firm = self.firm.at(event.event_time)
        return product({one.and_also(other) for one, other in product(firm, firm)}, state, killed)

    # -- what leaves ----------------------------------------------------------------------------------

    def leaves(self, verb: str, order: Order, asked: OrderTerms | None) -> None:
        """Called in the moment in which something is handed to the venue."""
        stored = self._site.database.state.orders.get((order.account_id, order.order_id))
        if stored is None or not self._is_recorded(verb, order, asked):
            self.faults.append(f"{verb} of {order.order_id} left before it was stored")
        if verb == "submit" and (order.held or order.order_id in self._site.venue.tickets):
            self.faults.append(f"{order.order_id} left while it was held, or twice")
        self.seen[verb] += 1
        stopped = [scope for scope in SCOPES if covers(scope, order.account_id, order.terms) and self.engaged(scope)]
        if stopped and verb != "cancel" and not dict(order.terms.tags).get("kill_switch"):
            self.faults.append(f"{verb} of {order.order_id} left after the answer of a kill switch over {stopped}")

    def _is_recorded(self, verb: str, order: Order, asked: OrderTerms | None) -> bool:
        """Whether the journal has the request, whatever has become of the order since. To ask for a cancel again can
        only lower what is at risk.
        """
        if verb != "replace":
            return True
        stored = (event.order for event in self._site.events(order.account_id, 0))
        return any(one and (one.order_id, one.replace_terms) == (order.order_id, asked) for one in stored)
