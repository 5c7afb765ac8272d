"""The engine with the firm's desk and its supervisor, on the in-process store."""

from typing import Any

from adapters.persistence.memory_controls import MemoryControlRepository
from application.ports.journal import Control
from application.risk.controls import Controls
from application.risk.kill_switches import EngagedKillSwitch
from application.risk.risk_desk import RiskDesk
from application.risk.supervisor import Supervisor
from application.trading.commands.create_account_command import CreateAccount
from domain.risk.value_objects.scope import Scope, of_account
from domain.trading.events.order_events import Event, EventType
from tests.support.engine import MAIN, House
from tests.support.trading import D, ScriptedBroker, instrument

BOSS = "user:boss"
ACCOUNT = of_account(MAIN)


class DeskHouse(House):
    """A House with a RiskDesk. `restart` is a new process, which reads the controls back."""

    def _build(self) -> None:
        super()._build()
        self.quotes.list(instrument("BOLT"))
        self.quotes.set("BOLT", "20")
        self.desk = RiskDesk(
            self.engine, MemoryControlRepository(self.database), self.engine.controls, self.clock, self.ids
        )
        self.supervisor = Supervisor(self.desk, self.clock)

    async def open(self) -> "DeskHouse":
        await self._start()
        await self.create_account(CreateAccount(MAIN, "user:test", self.broker.name, "USD", D(100_000_000)))
        self.opened_at = len(self.events)
        return self

    async def _start(self) -> None:
        await self.engine.load()
        await self.desk.start()
        await self.engine.connect()
        self.supervisor.start()

    async def restart(self, seconds_later: float = 0, broker: ScriptedBroker | None = None) -> None:
        await self.crash()
        await self.come_back(seconds_later, broker)

    async def crash(self) -> None:
        await self.supervisor.stop()
        await self.engine.stop()

    async def come_back(self, seconds_later: float = 0, broker: ScriptedBroker | None = None) -> None:
        self.clock.advance(seconds_later)
        self.quotes.set("ACME", "50")
        self.broker = broker or ScriptedBroker()
        self._build()
        self.opened_at = len(self.events)
        await self._start()
        await self.settle()

    async def close(self) -> None:
        self.journal.gate.set()
        await self.supervisor.stop()
        await self.engine.stop()

    async def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)
            self.quotes.set("ACME", "50")
            self.quotes.set("BOLT", "20")
            await self.settle()

    # -- asking -------------------------------------------------------------------------------------

    async def engage(self, scope: Scope = ACCOUNT, **options: Any) -> EngagedKillSwitch:
        return await self.desk.kill_switches.engage(scope, "enough", BOSS, **options)

    async def outcomes(self, kill_switch_id: str) -> list[str]:
        view = await self.desk.kill_switches.get(kill_switch_id)
        return [outcome.state.value for outcome in view.outcomes]

    # -- looking ------------------------------------------------------------------------------------

    @property
    def controls(self) -> Controls:
        return self.engine.controls

    @property
    def stored_controls(self) -> dict[str, Control]:
        return self.database.state.controls

    def noted(self, type: EventType, account_id: str = MAIN) -> list[Event]:
        """The stored events of that type."""
        return [event for event in self.database.events[account_id] if event.type is type]

    def require_memory_equals_store(self) -> None:
        """What accounts go by is what a new process would read."""
        fresh = Controls(self.stored_controls.values())
        assert sorted(map(repr, self.controls)) == sorted(map(repr, fresh))
        assert self.controls.firm == fresh.firm
