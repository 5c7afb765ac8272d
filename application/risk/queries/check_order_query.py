"""What every rule says about an order, without placing it."""

from dataclasses import dataclass

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.examination import CheckedOrder, examine
from application.trading.placement import needs_of
from domain.trading.value_objects.order_terms import OrderTerms


@dataclass(frozen=True, slots=True)
class OrderChecked:
    """`sequence` names the account's state that the check was made on."""

    check: CheckedOrder
    sequence: int


@dataclass(frozen=True, slots=True)
class CheckOrder:
    """Passes and fails alike are listed; only malformed terms are an error."""

    account_id: str
    actor: str
    terms: OrderTerms

    def needs(self) -> Needs:
        return needs_of(self.terms)

    def decide(self, book: AccountBook) -> OrderChecked:
        self.terms.check()
        return OrderChecked(examine(book, self.terms, explain=True, may_wait=True), book.sequence)
