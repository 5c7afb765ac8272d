"""The limits of an account."""

from dataclasses import dataclass

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.value_objects.trading_state import TradingState


@dataclass(frozen=True, slots=True)
class RiskProfileView:
    """`effective` is what is applied: the account's own and the firm's, whichever is stricter."""

    own: RiskProfile
    effective: RiskProfile
    trading_state: TradingState


@dataclass(frozen=True, slots=True)
class GetRiskProfile:
    account_id: str
    actor: str

    def needs(self) -> Needs:
        return Needs()

    def decide(self, book: AccountBook) -> RiskProfileView:
        return RiskProfileView(book.profile, book.limits, trading_state_of(book))


def trading_state_of(book: AccountBook) -> TradingState:
    """What may be traded in the account as a whole: the state set for it or the firm, HALTED under a kill switch."""
    if book.controls.kill_for(book.account_id, "", "") is not None:
        return TradingState.HALTED
    state = book.controls.state_for(book.account_id, "", "")
    return TradingState.ACTIVE if state is None else state.state
