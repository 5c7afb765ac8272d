"""OCO, OTO and BRACKET groups worked by a venue, with restarts at any moment."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.decimals import round_down
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_group import next_steps
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import GroupType, Side
from tests.support.replay import require_read_models_equal_a_replay
from tests.support.trading import Desk, ScriptedBroker, instrument, terms

X = ExecType
NAMES = ("first", "second", "third")
LOT = Decimal(2)


@dataclass
class Worked:
    """An order as the venue has it."""

    name: str
    quantity: Decimal
    filled: Decimal = Decimal(0)
    done: bool = False

    @property
    def leaves(self) -> Decimal:
        return Decimal(0) if self.done else self.quantity - self.filled


class Venue(ScriptedBroker):
    """Does what it is told one command after the other, when `act` is called, and reports it at once."""

    def __init__(self) -> None:
        super().__init__()
        self.worked: dict[str, Worked] = {}
        self.commands: deque[Callable[[], None]] = deque()
        self.desk: Desk

    def submit(self, order: Order) -> None:
        assert order.order_id not in self.worked, "submitted twice"
        self.worked[order.order_id] = Worked(order.terms.client_order_id, order.terms.quantity)
        self.commands.append(lambda: self.desk.report(X.NEW, order.terms.client_order_id))

    def replace(self, order: Order, terms: OrderTerms, request_version: int) -> None:
        self.commands.append(lambda: self._replace(self.worked[order.order_id], terms.quantity, request_version))

    def cancel(self, order: Order) -> None:
        self.commands.append(lambda: self._cancel(self.worked[order.order_id]))

    def act(self) -> None:
        while self.commands:
            self.commands.popleft()()

    def _replace(self, order: Worked, quantity: Decimal, version: int) -> None:
        if order.done:
            self.desk.report(X.REPLACE_REJECTED, order.name, request_version=version)
            return
        order.quantity = max(quantity, order.filled)
        order.done = order.quantity == order.filled
        self.desk.report(X.REPLACED, order.name, request_version=version)

    def _cancel(self, order: Worked) -> None:
        if order.done:
            self.desk.report(X.CANCEL_REJECTED, order.name)
        else:
            self.end(order, X.CANCELED)

    def end(self, order: Worked, type: ExecType) -> None:
        order.done = True
        self.desk.report(type, order.name)

    def fill(self, order: Worked, quantity: Decimal) -> None:
        order.filled += quantity
        order.done = not order.leaves
        self.desk.trade(f"{order.name} {order.filled}", quantity, client_order_id=order.name)


class Group:
    """One group on a desk of its own: the first member's side, and the quantities of all."""

    def __init__(self, type: GroupType, quantities: tuple[int, ...]) -> None:
        self.type = type
        self.venue = Venue()
        self.desk = self.venue.desk = Desk(broker=self.venue)
        self.desk.quotes.list(instrument("ACME", lot=str(LOT)))
        sides = [Side.BUY] + [Side.BUY if type is GroupType.OCO else Side.SELL] * 2
        self.desk.place_group(
            type, *(terms(name, side, quantity) for name, side, quantity in zip(NAMES, sides, quantities, strict=False))
        )
        self.quantities = dict(zip(NAMES, map(Decimal, quantities), strict=False))

    @property
    def members(self) -> list[Order]:
        return [self.desk.order(name) for name in self.quantities]

    def filled(self, name: str) -> Decimal:
        return self.desk.order(name).filled_quantity

    def target(self, name: str) -> Decimal:
        """What the member may trade in all, from the rules of its group alone."""
        others = sum(
            (self.filled(other) for other in self.quantities if other != name and self._shares_with(name, other)),
            Decimal(0),
        )
        whole = self.quantities[name]
        if self.type is not GroupType.OCO and name != "first":
            whole = round_down(whole * self.filled("first") / self.quantities["first"], LOT)
        return max(Decimal(0), whole - others)

    def _shares_with(self, name: str, other: str) -> bool:
        if self.type is GroupType.OTO:
            return False
        return self.type is GroupType.OCO or "first" not in (name, other)


def groups() -> st.SearchStrategy[Group]:
    lots = st.integers(1, 8).map(lambda lots: lots * int(LOT))
    three = st.tuples(lots, lots, lots)
    return st.one_of(
        st.builds(Group, st.just(GroupType.OCO), st.tuples(lots, lots)),
        st.builds(Group, st.just(GroupType.OTO), three),
        st.builds(lambda lot: Group(GroupType.BRACKET, (lot, lot, lot)), lots),
    )


class GroupMachine(RuleBasedStateMachine):
    """The venue acts at once after each step, or, when it is slow, as late as it likes."""

    slow = False

    @initialize(group=groups())
    def place(self, group: Group) -> None:
        self.group = group
        self.refused = False
        self.then()

    def then(self) -> None:
        if not self.slow:
            self.group.venue.act()

    def worked(self, which: int) -> Worked | None:
        working = [order for order in self.group.venue.worked.values() if order.leaves]
        return working[which % len(working)] if working else None

    @rule(which=st.integers(0, 2), lots=st.integers(1, 8))
    def fill(self, which: int, lots: int) -> None:
        order = self.worked(which)
        if order is not None:
            self.group.venue.fill(order, min(order.leaves, lots * LOT))
            self.then()

    @rule(which=st.integers(0, 2), type=st.sampled_from([X.CANCELED, X.EXPIRED]))
    def end(self, which: int, type: ExecType) -> None:
        order = self.worked(which)
        if order is not None:
            self.group.venue.end(order, type)
            self.then()

    @rule(name=st.sampled_from(NAMES))
    def cancel(self, name: str) -> None:
        if name in self.group.quantities and self.group.desk.order(name).is_open:
            self.group.desk.cancel(name)
            self.then()

    @rule()
    def restart(self) -> None:
        self.group.desk.restart()

    @rule()
    def let_the_venue_act(self) -> None:
        self.group.venue.act()

    @invariant()
    def nothing_is_left_to_do_that_was_not_done(self) -> None:
        """Also right after a restart: what must happen next follows from the members alone."""
        if not self.venue_refused():
            assert next_steps(self.group.type, self.group.members, LOT) == []

    def venue_refused(self) -> bool:
        """A refused request is not asked again before something else happens to the group."""
        return self.group.desk.records.events[-1].type.value in ("CANCEL_REJECTED", "REPLACE_REJECTED")

    @invariant()
    def members_have_the_size_that_their_group_gives_them(self) -> None:
        if self.group.venue.commands:
            return
        for order in self.group.members:
            target = self.group.target(order.terms.client_order_id)
            if order.is_open and not order.held and target > order.filled_quantity:
                assert order.terms.quantity == target

    @invariant()
    def a_child_waits_exactly_until_there_is_something_for_it(self) -> None:
        for order in self.group.members:
            name = order.terms.client_order_id
            if self.group.type is not GroupType.OCO and name != "first" and order.is_open:
                submitted = order.order_id in self.group.venue.worked
                assert submitted is not order.held
                assert submitted or not self.group.target(name)

    def teardown(self) -> None:
        if hasattr(self, "group"):
            start = {"USD": Decimal(100_000_000)}
            require_read_models_equal_a_replay(self.group.desk.records, start)


class PromptVenueMachine(GroupMachine):
    @invariant()
    def together_they_never_fill_more_than_the_group_is_for(self) -> None:
        group = self.group
        exits = sum((group.filled(name) for name in list(group.quantities)[1:]), Decimal(0))
        if group.type is GroupType.OCO:
            assert group.filled("first") + exits <= max(group.quantities.values())
        elif group.type is GroupType.BRACKET:
            assert exits <= group.filled("first")
        else:
            for name in ("second", "third"):
                share = group.quantities[name] * group.filled("first") / group.quantities["first"]
                assert group.filled(name) <= share


class SlowVenueMachine(GroupMachine):
    slow = True


for machine in (PromptVenueMachine, SlowVenueMachine):
    machine.TestCase.settings = settings(max_examples=50, stateful_step_count=25, deadline=None)
TestGroupsAtAPromptVenue = PromptVenueMachine.TestCase
TestGroupsAtASlowVenue = SlowVenueMachine.TestCase
