"""All that bears on an account's risk, at one moment of its journal."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.ports.journal import Control
from application.risk.account_exposure import AccountExposure
from application.risk.queries.get_exposure_query import ExposureView, GetExposure, GetExposureHandler
from application.risk.queries.get_kill_switch_query import KillSwitchView, count_open
from application.risk.queries.get_risk_profile_query import GetRiskProfile, RiskProfileView
from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.trading_engine import TradingEngine
from domain.risk.aggregates.dead_man_switch import DeadManSwitch
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.value_objects.trading_state import TradingState


@dataclass(frozen=True, slots=True)
class RiskMoment:
    """What the account itself knows. `controls`: those in force that bear on it."""

    profile: RiskProfileView
    exposure: AccountExposure
    controls: Sequence[Control]


@dataclass(frozen=True, slots=True)
class RiskSnapshot:
    """`states` are those that are not ACTIVE. `sequence`: of the account's last event by then."""

    profile: RiskProfileView
    exposure: ExposureView
    states: Sequence[ScopedTradingState]
    kill_switches: Sequence[KillSwitchView]
    dead_man_switches: Sequence[DeadManSwitch]
    sequence: int


@dataclass(frozen=True, slots=True)
class GetRiskSnapshot:
    """Read in the account's turn, so that all of it is of one moment."""

    account_id: str
    actor: str

    def needs(self) -> Needs:
        return Needs(valued=True)

    def decide(self, book: AccountBook) -> RiskMoment:
        return RiskMoment(
            GetRiskProfile(self.account_id, self.actor).decide(book),
            GetExposure(self.account_id, self.actor).decide(book),
            book.controls.bearing_on(self.account_id),
        )


class GetRiskSnapshotHandler:
    """Asks the account, has its exposure told by strategy, and counts the orders that switches wait for."""

    def __init__(self, engine: TradingEngine, exposures: GetExposureHandler) -> None:
        self._engine = engine
        self._exposures = exposures

    async def handle(self, query: GetRiskSnapshot) -> RiskSnapshot:
        """Raises AccessDenied for an account that there is not."""
        moment = await self._engine.execute(query)
        states = [control for control in moment.controls if isinstance(control, ScopedTradingState)]
        kills = [control for control in moment.controls if isinstance(control, KillSwitch)]
        return RiskSnapshot(
            profile=moment.profile,
            exposure=await self._exposures.view_of(moment.exposure),
            states=[state for state in states if state.state is not TradingState.ACTIVE],
            kill_switches=[KillSwitchView(kill, count_open(self._engine, kill)) for kill in kills],
            dead_man_switches=[control for control in moment.controls if isinstance(control, DeadManSwitch)],
            sequence=moment.exposure.sequence,
        )
