"""Place many orders of one account, each on its own or all or none."""

from collections.abc import Callable
from dataclasses import dataclass

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.commands.place_order_command import place_one
from application.trading.examination import examine
from application.trading.own_orders import accept_past_own
from application.trading.placement import CheckFailed, Placed, check_distinct, new_order, replayed
from domain.errors import DomainError
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.order_terms import OrderTerms


@dataclass(frozen=True, slots=True)
class PlaceOrders:
    """The orders are decided one after the other. Atomic: the first refusal fails the whole, nothing is recorded."""

    account_id: str
    actor: str
    orders: tuple[OrderTerms, ...]
    atomic: bool = False
    validate_only: bool = False

    def needs(self) -> Needs:
        return Needs(
            client_order_ids=tuple(terms.client_order_id for terms in self.orders),
            symbols=tuple({terms.symbol: None for terms in self.orders}),
        )

    def decide(self, book: AccountBook) -> list[Placed | DomainError]:
        """A result for each order, at the order's place."""
        check_distinct((f"orders[{i}]", terms) for i, terms in enumerate(self.orders))
        for i, terms in enumerate(self.orders):
            terms.check(f"orders[{i}]")
        if self.atomic or self.validate_only:
            return self._decide_together(book)
        results: list[Placed | DomainError] = []
        for i, terms in enumerate(self.orders):
            try:
                results.append(place_one(book, terms, path=f"orders[{i}]"))
            except DomainError as refused:
                results.append(refused)
        return results

    def _decide_together(self, book: AccountBook) -> list[Placed | DomainError]:
        results: list[Placed | DomainError] = []
        with book.supposing() as suppose:
            for i, terms in enumerate(self.orders):
                try:
                    results.append(self._supposed(book, terms, suppose))
                except DomainError as refused:
                    if self.atomic:
                        refused.metadata = {**refused.metadata, "index": str(i)}
                        raise
                    results.append(refused)
        if self.validate_only:
            return results
        return [self._accepted(book, result) for result in results]

    @staticmethod
    def _supposed(book: AccountBook, terms: OrderTerms, suppose: Callable[[Order], None]) -> Placed:
        first = replayed(book, terms)
        if first is not None:
            return first
        checked = examine(book, terms, explain=True, may_wait=True)
        if not checked.passed:
            raise CheckFailed(checked, terms)
        order = new_order(book, terms, checked)
        suppose(order)
        return Placed(order, 0, check=checked)

    @staticmethod
    def _accepted(book: AccountBook, result: Placed | DomainError) -> Placed | DomainError:
        if isinstance(result, DomainError) or result.replayed or result.check is None:
            return result
        return accept_past_own(book, result.order.terms, result.check)
