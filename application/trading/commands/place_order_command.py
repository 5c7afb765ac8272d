"""Place one order."""

from dataclasses import dataclass

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.examination import examine
from application.trading.own_orders import accept_past_own
from application.trading.placement import CheckFailed, Placed, needs_of, new_order, refuse, replayed
from domain.trading.value_objects.order_terms import OrderTerms


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """Check the order and take it. With `validate_only` nothing is recorded and the id stays free."""

    account_id: str
    actor: str
    terms: OrderTerms
    validate_only: bool = False

    def needs(self) -> Needs:
        return needs_of(self.terms)

    def decide(self, book: AccountBook) -> Placed:
        return place_one(book, self.terms, self.validate_only)


def place_one(book: AccountBook, terms: OrderTerms, validate_only: bool = False, path: str = "order") -> Placed:
    """Place one order that belongs to no group, or answer as before if it was placed already.

    Raises InvalidArgument (nothing recorded), AlreadyExists, or OrderNotPlaced (recorded as rejected).
    """
    first = replayed(book, terms)
    if first is not None:
        return first
    terms.check(path)
    checked = examine(book, terms, explain=validate_only, may_wait=True)
    if validate_only:
        if not checked.passed:
            raise CheckFailed(checked, terms)
        return Placed(new_order(book, terms, checked), 0, check=checked)
    if not checked.passed:
        raise refuse(book, terms, checked)
    return accept_past_own(book, terms, checked)
