"""The limits of an account."""

from dataclasses import dataclass

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from domain.risk.aggregates.risk_profile import RiskProfile


@dataclass(frozen=True, slots=True)
class GetRiskProfile:
    account_id: str
    actor: str

    def needs(self) -> Needs:
        return Needs()

    def decide(self, book: AccountBook) -> RiskProfile:
        return book.profile
