"""A real server core between callers, risk managers and a venue that all do what Hypothesis likes, and die, against a
plain model of what may leave it.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from decimal import Decimal
from functools import partial
from itertools import product
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from application.trading.command import Command, OrderRef
from application.trading.commands.cancel_order_command import CancelOrder
from application.trading.commands.place_order_command import PlaceOrder
from application.trading.commands.replace_order_command import Change, ReplaceOrder
from domain.errors import DomainError, OrderNotPlaced
from domain.risk.value_objects.limits import SelfMatchAction
from domain.risk.value_objects.scope import of_account
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import Side
from tests.proof.ideas import (
    Idea,
    accounts,
    asks,
    decisions,
    doings,
    growing,
    ideas,
    move,
    percents,
    profiles,
    sides,
    sizes,
    symbols,
    troubles,
    whichever,
)
from tests.proof.instant_loop import InstantLoop
from tests.proof.judge import Broken, Judge, covers
from tests.proof.managers import Call, Managers
from tests.proof.plain_model import Known
from tests.proof.site import ACCOUNTS, CASH, PRICES, Site
from tests.proof.venue import Ticket
from tests.support.engine import Fault
from tests.support.trading import terms

_TICK = 0.001


class RiskCoreMachine(RuleBasedStateMachine):
    """`seen` counts what has come about, over all runs: a proof in which nothing happens proves nothing."""

    seen: ClassVar[Counter[str]] = Counter()

    @initialize(left=profiles, right=profiles)
    def open(self, left: dict[str, Any], right: dict[str, Any]) -> None:
        self.loop = InstantLoop()
        self.site = Site()
        self.judge = Judge(self.site, self.seen)
        self.managers = Managers(self.site, self.judge, self._begin)
        self.ideas: list[Idea] = []
        self.made = 0
        self.calm = 1
        self._run(self.site.open())
        self._decisions([("limit", "left", left), ("limit", "right", right)])
        self._run(self.site.idle())

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self._run(self.site.die())
            self.loop.close()

    # -- callers, none of whom waits for another ------------------------------------------------------

    @rule(many=st.lists(asks, min_size=1, max_size=6))
    def callers_ask(self, many: list[tuple[Any, ...]]) -> None:
        self._moves(many)

    @rule(idea=ideas, times=st.integers(2, 6))
    def callers_want_the_same(self, idea: Idea, times: int) -> None:
        self._moves([("place", idea)] * times)

    @rule(account_id=accounts, symbol=symbols, side=sides)
    def somebody_is_stopped_with_a_position(self, account_id: str, symbol: str, side: Side) -> None:
        self._take_a_position(account_id, symbol, side)
        self._decisions([("engage", of_account(account_id), True, True)])

    @rule(account_id=accounts, symbol=symbols, side=sides, limit=growing)
    def somebody_reduces_beside_an_order_that_turns_round(
        self, account_id: str, symbol: str, side: Side, limit: str
    ) -> None:
        self._take_a_position(account_id, symbol, side)
        self._run(self.site.idle())
        self._limit(account_id, symbol, limit, 50)
        turning = Idea(account_id, symbol, side.opposite, 60, 110 if side is Side.BUY else 90)
        self._moves([("place", turning), ("place", replace(turning, quantity=20, only_reduces=True))])

    def _take_a_position(self, account_id: str, symbol: str, side: Side) -> None:
        self._moves([("place", Idea(account_id, symbol, side, 20, None))])
        self._run(self.site.idle())
        self._answer_everything()
        for ticket in list(self.site.venue.tickets.values()):
            self.site.venue.fill(ticket, ticket.left, late=False)

    def _limit(self, account_id: str, symbol: str, limit: str, size: int) -> None:
        """Set the limit to what so many units of the symbol come to."""
        units = {"max_gross_exposure": PRICES[symbol], "max_leverage": PRICES[symbol] / CASH}
        self._decisions([("limit", account_id, {limit: size * units.get(limit, Decimal(1))})])

    @rule(account_id=accounts, symbol=symbols, side=sides)
    def somebodys_own_orders_meet(self, account_id: str, symbol: str, side: Side) -> None:
        idea = Idea(account_id, symbol, side, 20, 100)
        aside = {"self_match_action": SelfMatchAction.CANCEL_RESTING}
        self._decisions([("limit", account_id, aside)])
        self._moves([("place", idea), ("place", replace(idea, side=side.opposite))])

    @rule(account_id=accounts, symbol=symbols, side=sides, limit=growing)
    def somebodys_order_is_to_grow_beyond_a_limit(self, account_id: str, symbol: str, side: Side, limit: str) -> None:
        self._limit(account_id, symbol, limit, 40)
        self._place_and_grow(account_id, symbol, side)

    def _place_and_grow(self, account_id: str, symbol: str, side: Side) -> None:
        self._moves([("place", Idea(account_id, symbol, side, 20, 90 if side is Side.BUY else 110))])
        id = f"{account_id}-{self.made}"
        self._run(self.site.idle())
        self._acknowledge(late=False)
        self._run(self.site.idle())
        self.judge.catch_up()
        for owner, order in self._open_orders():
            if order.terms.client_order_id == id:
                self._change(owner, order, Change(quantity=Decimal(60)))

    @rule(account_id=accounts, symbol=symbols, side=sides)
    def a_fill_overtakes_the_answer_to_a_replace(self, account_id: str, symbol: str, side: Side) -> None:
        self._place_and_grow(account_id, symbol, side)
        self._run(self.site.idle())
        for ticket in list(self.site.venue.tickets.values()):
            self.site.venue.answer_replace(ticket, agrees=True, late=True)
            self.site.venue.fill(ticket, ticket.left - 1, late=False)

    @rule(many=st.lists(doings, min_size=1, max_size=4))
    def the_venue_does(self, many: list[tuple[Any, ...]]) -> None:
        self._moves(many)

    @rule(many=st.lists(decisions, min_size=1, max_size=3))
    def managers_decide(self, many: list[tuple[Any, ...]]) -> None:
        self._decisions(many)

    @rule(many=st.lists(troubles, min_size=1, max_size=2))
    def something_breaks(self, many: list[tuple[Any, ...]]) -> None:
        self.managers.troubles += 1
        self._moves(many)

    def _moves(self, many: list[tuple[Any, ...]]) -> None:
        for name, *of in many:
            self._tick()
            getattr(self, f"_{name}")(*of)

    def _decisions(self, many: list[tuple[Any, ...]]) -> None:
        for name, *of in many:
            self._tick()
            getattr(self.managers, name)(*of)

    def _place_again(self, which: int) -> None:
        """One that looks like another."""
        if self.ideas:
            self._place(self.ideas[which % len(self.ideas)])

    def _place_against(self, which: int) -> None:
        """One that could trade with another of the same account."""
        if self.ideas:
            idea = self.ideas[which % len(self.ideas)]
            self._place(replace(idea, side=idea.side.opposite, percent=None, only_reduces=False))

    def _repeat(self, which: int) -> None:
        """As a caller does who got no answer: nothing comes of it a second time."""
        if self.judge.wanted:
            key = list(self.judge.wanted)[which % len(self.judge.wanted)]
            self._begin(partial(self._placing, key.split("-")[0], self.judge.wanted[key]))

    def _cancel(self, which: int) -> None:
        account_id, order = self._some_order(which)
        if order is not None:
            ref = OrderRef(order_id=order.order_id)
            self._execute(CancelOrder(account_id, "user:test", ref))

    def _place(self, idea: Idea) -> None:
        self.made += 1
        self.ideas.append(idea)
        id = f"{idea.account_id}-{self.made}"
        price = None if idea.percent is None else PRICES[idea.symbol] * idea.percent / 100
        more: dict[str, Any] = {"strategy_id": idea.strategy_id, "reduce_only": idea.only_reduces}
        asked = terms(id, idea.side, idea.quantity, price, symbol=idea.symbol, **more)
        self.judge.wanted[id] = asked
        self._begin(partial(self._placing, idea.account_id, asked))

    async def _placing(self, account_id: str, asked: OrderTerms) -> None:
        refused = False
        try:
            await self.site.engine.execute(PlaceOrder(account_id, "user:test", asked))
        except OrderNotPlaced:
            refused = True
        order_id = self.site.database.order_ids.get((account_id, asked.client_order_id))
        if order_id is None or (order_id not in self.judge.told(account_id).orders) != refused:
            self.judge.faults.append(f"{asked.client_order_id} is not in the store as it was answered")

    def _replace(self, which: int, quantity: int | None, percent: int | None) -> None:
        account_id, order = self._some_order(which)
        if order is None:
            return
        has_price = percent is not None and order.limit is not None
        price = PRICES[order.symbol] * percent / 100 if has_price and percent is not None else None
        self._change(account_id, order, Change(None if quantity is None else Decimal(quantity), price))

    def _change(self, account_id: str, order: Known, change: Change) -> None:
        self.made += 1
        actor = f"user:{self.made}"
        self.judge.requests[actor] = change
        self._execute(ReplaceOrder(account_id, actor, OrderRef(order.order_id), change))

    def _some_order(self, which: int) -> tuple[str, Known | None]:
        known = self._open_orders()
        return known[which % len(known)] if known else ("", None)

    def _open_orders(self) -> list[tuple[str, Known]]:
        return [(account_id, order) for account_id, _, order in self.judge.orders() if order.is_open]

    # -- the venue, and the market --------------------------------------------------------------------

    def _fill(self, which: int, part: Decimal, late: bool) -> None:
        ticket = self._some_ticket(which)
        if ticket is not None:
            quantity = max(Decimal(1), (ticket.left * part).to_integral_value())
            self.site.venue.fill(ticket, quantity, late)

    def _acknowledge(self, late: bool) -> None:
        for ticket in self.site.venue.tickets.values():
            self.site.venue.acknowledge(ticket, late)

    def _answer(self, which: int, agrees: bool, late: bool) -> None:
        asked = [ticket for ticket in self.site.venue.tickets.values() if ticket.cancel_asked or ticket.asked]
        if asked:
            ticket = asked[which % len(asked)]
            self.site.venue.answer_replace(ticket, agrees, late)
            self.site.venue.answer_cancel(ticket, agrees, late)

    def _end(self, which: int, type: ExecType, late: bool) -> None:
        ticket = self._some_ticket(which)
        if ticket is not None:
            rejects = not ticket.acknowledged and not ticket.filled
            self.site.venue.end(ticket, ExecType.REJECTED if rejects else type, late)

    def _deliver(self, which: int) -> None:
        self.site.venue.deliver(which)

    def _deliver_again(self, which: int) -> None:
        self.site.venue.repeat(which)

    def _lose_what_is_sent(self, deaf: bool, mute: bool) -> None:
        self.site.venue.deaf, self.site.venue.mute = deaf, mute

    def _quote(self, symbol: str, percent: int, spread: str) -> None:
        self.site.quote(symbol, str(PRICES[symbol] * percent / 100), spread)
        self.judge.prices.append((self.site.clock.now(), dict(self.site.spreads)))

    def _some_ticket(self, which: int) -> Ticket | None:
        live = [ticket for ticket in self.site.venue.tickets.values() if ticket.live]
        return live[which % len(live)] if live else None

    # -- the machine that it runs on ------------------------------------------------------------------

    @rule(turns=st.integers(1, 12))
    def run_a_little(self, turns: int) -> None:
        self._tick()
        self._run(self._turns(turns))

    @rule()
    def run_until_nothing_can(self) -> None:
        self._tick()
        self._run(self.site.idle())

    @rule(many=st.lists(move("replace", whichever, sizes | st.none(), percents), max_size=3))
    def everybody_is_served(self, many: list[tuple[Any, ...]]) -> None:
        """All that was asked for is decided and acknowledged; and then some want something else."""
        self._run(self.site.idle())
        self._moves([("acknowledge", False)])
        self._run(self.site.idle())
        self._moves(many)

    @rule(seconds=st.sampled_from([0.25, 1, 2, 6]))
    def let_time_pass(self, seconds: float) -> None:
        self._tick()
        self._run(self.site.pass_time(seconds))

    def _fail_a_commit(self, fault: Fault) -> None:
        self.site.journal.faults.append(fault)

    def _hold_up_commits(self, written: bool) -> None:
        (self.site.answering if written else self.site.journal.gate).clear()

    @rule()
    def what_was_broken_works(self) -> None:
        self.site.venue.deaf = self.site.venue.mute = False
        self.site.answering.set()
        self.site.journal.gate.set()

    @rule(seconds=st.sampled_from([0, 1, 70]))
    def die_and_come_back(self, seconds: int) -> None:
        """Whatever is under way, in the process or in the store."""
        self.managers.troubles += 1
        self._tick()
        self._run(self.site.die())
        self.site.clock.advance(seconds)
        self._tick()
        self.site.refresh()
        self.judge.read_controls()
        self._run(self.site.start())
        self.seen["restart"] += 1

    @precondition(lambda self: self.made >= 10 * self.calm)
    @rule()
    def calm_down(self) -> None:
        """Nothing is broken any more, and everybody answers: then all that was asked for comes about."""
        self.what_was_broken_works()
        self.site.journal.faults.clear()
        for _ in range(3):
            self._run(self.site.pass_time(6))
            self._answer_everything()
        self._run(self.site.pass_time(2))
        self.judge.catch_up()
        for account_id, id, order in self.judge.orders():
            surely = [
                scope for scope, kill in self.judge.kills.items() if all(k.engaged and k.cancels for k in kill.now)
            ]
            if any(covers(scope, account_id, order.terms) for scope in surely) and order.is_open and not order.flattens:
                raise Broken(f"{id} is still open under a kill switch")
        for account_id, symbol in product(ACCOUNTS, PRICES):
            if self.judge.books[account_id].position[symbol] != self.site.venue.held[account_id, symbol]:
                raise Broken(f"{account_id} does not hold of {symbol} what the venue has traded")
        self.seen["calm"] += 1
        self.calm += 1

    def _answer_everything(self) -> None:
        venue = self.site.venue
        for ticket in venue.tickets.values():
            venue.acknowledge(ticket, late=False)
            venue.answer_replace(ticket, agrees=True, late=False)
            venue.answer_cancel(ticket, agrees=True, late=False)
        while venue.late:
            venue.deliver(0)

    @invariant()
    def nothing_has_passed_a_limit(self) -> None:
        if hasattr(self, "judge"):
            self.judge.require_nothing_wrong()
            self.seen["step"] += 1

    # -- the loop -------------------------------------------------------------------------------------

    def _tick(self) -> None:
        """No two steps happen at the same time, so that the journal's times tell what was before what."""
        self.site.clock.advance(_TICK)

    def _execute(self, command: Command[Any]) -> None:
        engine = self.site.engine
        self._begin(lambda: engine.execute(command))

    def _begin(self, call: Call) -> None:
        self.loop.create_task(self._called(call))

    async def _called(self, call: Call) -> None:
        try:
            await call()
        except DomainError:
            pass
        except Exception as fault:
            self.judge.faults.append(f"a call failed: {fault!r}")

    async def _turns(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        self.loop.run_until_complete(work)
