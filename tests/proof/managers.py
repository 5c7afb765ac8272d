"""Risk managers: every change that they ask for, held against what they were answered."""

from collections.abc import Callable, Coroutine
from functools import partial
from types import SimpleNamespace
from typing import Any

from application.risk.commands.update_risk_profile_command import UpdateRiskProfile
from domain.errors import DomainError, Unavailable
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.value_objects.scope import Scope
from domain.risk.value_objects.trading_state import TradingState
from tests.proof.judge import Judge, Kill, covers
from tests.proof.plain_limits import Limits
from tests.proof.site import Site
from tests.proof.uncertain import Uncertain

BOSS = "user:boss"

Call = Callable[[], Coroutine[Any, Any, Any]]


class Managers:
    """`begin` makes a call that nobody waits for. `troubles` counts what was broken on purpose: what an answer
    says of orders is held against them only if nothing was meanwhile.
    """

    def __init__(self, site: Site, judge: Judge, begin: Callable[[Call], None]) -> None:
        self.troubles = 0
        self._site = site
        self._judge = judge
        self._begin = begin
        self._being_released: set[str] = set()

    def limit(self, account_id: str, changes: dict[str, Any]) -> None:
        self._begin(partial(self._site.engine.execute, UpdateRiskProfile(account_id, BOSS, changes)))

    def limit_all(self, changes: dict[str, Any]) -> None:
        after = Limits.of(SimpleNamespace(order_rate=None, duplicate_window=None, **changes))
        change = partial(self._site.desk.update_firm_profile, changes, BOSS)
        self._begin(lambda: self._asking(self._judge.firm, after, change))

    def set_state(self, scope: Scope, state: str) -> None:
        change = partial(self._site.desk.set_trading_state, scope, TradingState(state), "because", BOSS)
        self._begin(lambda: self._asking(self._judge.states[scope], state, change))

    def engage(self, scope: Scope, cancels: bool, flattens: bool) -> None:
        self._begin(lambda: self._engaging(scope, cancels or flattens, flattens))

    def release(self, which: int) -> None:
        stored = self._site.database.state.controls.values()
        engaged = [kill for kill in stored if isinstance(kill, KillSwitch) and kill.engaged]
        # A release that is repeated changes nothing, also when another switch of the scope is engaged by then.
        engaged = [kill for kill in engaged if kill.kill_switch_id not in self._being_released]
        if engaged:
            kill = engaged[which % len(engaged)]
            self._being_released.add(kill.kill_switch_id)
            self._begin(lambda: self._releasing(kill))

    async def _engaging(self, scope: Scope, cancels: bool, flattens: bool) -> None:
        before = self._judge.kills[scope].now[-1]
        after = Kill(True, cancels or before.cancels, flattens or before.flattens)
        calm = self._calm_as()
        requested = {id: order.cancels for _, id, order in self._judge.orders()}
        engage = self._site.desk.kill_switches.engage
        change = partial(engage, scope, "enough", BOSS, cancel_orders=cancels, flatten=flattens)
        answer = await self._asking(self._judge.kills[scope], after, change)
        if answer is None or not answer.view.kill.cancel_orders or calm is None or calm != self._calm_as():
            return
        if self._site.engine.controls.get(answer.view.kill.kill_switch_id) is None:
            return  # a release that was under way beside it came after it
        self._judge.catch_up()
        for account_id, id, order in self._judge.orders():
            canceled = order.cancel_asked or order.cancels > requested.get(id, 0)
            if order.is_open and covers(scope, account_id, order.terms) and not canceled and not order.flattens:
                self._judge.faults.append(f"{id} is open after its kill switch was answered, and has no cancel")

    def _calm_as(self) -> tuple[object, ...] | None:
        """The same as before when no account was read back meanwhile, nor was anything broken; None if something is."""
        writers = self._site.engine.writers("venue")
        if not self._site.store_is_sound or any(writer.recovering for writer in writers):
            return None
        return self.troubles, *(writer.book for writer in writers)

    async def _releasing(self, kill: KillSwitch) -> None:
        release = self._site.desk.kill_switches.release
        change = partial(release, kill.kill_switch_id, "fine", BOSS, kill.version)
        try:
            await self._asking(self._judge.kills[kill.scope], Kill(), change)
        finally:
            self._being_released.discard(kill.kill_switch_id)

    async def _asking(self, what: Uncertain[Any], value: Any, change: Call) -> Any:
        asked = what.ask(self._site.clock.now(), value)
        try:
            answer = await change()
        except Unavailable:
            raise
        except DomainError:
            what.refuse(self._site.clock.now(), asked)
            raise
        what.answer(self._site.clock.now(), asked)
        return answer
