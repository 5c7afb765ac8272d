"""Place orders that act on each other: OCO, OTO or BRACKET; all of them or none."""

from dataclasses import dataclass, replace

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from application.trading.examination import CheckedOrder, examine
from application.trading.placement import CheckFailed, Placed, Role, accept, check_distinct, new_order, replayed
from domain.errors import AlreadyExists, DomainError
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import GroupType


@dataclass(frozen=True, slots=True)
class PlacedGroup:
    """The group's orders as they were placed, the parent first; `sequence` is the last event's."""

    group_id: str
    orders: tuple[Placed, ...]
    sequence: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class PlaceOrderGroup:
    """`orders` with the parent first, and their paths in the request for messages.

    The exits of a bracket can only reduce, so they are reduce-only from the start. The group's id is the
    first order's client order id unless the caller gives one.
    """

    account_id: str
    actor: str
    group_type: GroupType
    orders: tuple[OrderTerms, ...]
    paths: tuple[str, ...]
    client_group_id: str = ""
    validate_only: bool = False

    def needs(self) -> Needs:
        return Needs(
            client_order_ids=tuple(terms.client_order_id for terms in self.orders),
            symbols=tuple({terms.symbol: None for terms in self.orders}),
            group_ids=(self.group_id,),
        )

    @property
    def group_id(self) -> str:
        return self.client_group_id or self.orders[0].client_order_id

    def decide(self, book: AccountBook) -> PlacedGroup:
        orders = self._as_worked()
        group_id = self.group_id
        check_distinct(zip(self.paths, self.orders, strict=True))
        first = self._replayed(book, orders, group_id)
        if first is not None:
            return first
        for terms, path in zip(orders, self.paths, strict=True):
            terms.check(path)
        checks = self._examined(book, orders)
        if self.validate_only:
            shown = [
                Placed(new_order(book, terms, checked), 0, check=checked)
                for terms, checked in zip(orders, checks, strict=True)
            ]
            return PlacedGroup("", tuple(shown), 0)
        placed = self._accepted(book, orders, checks, group_id)
        return PlacedGroup(group_id, placed, placed[-1].sequence)

    def _as_worked(self) -> tuple[OrderTerms, ...]:
        if self.group_type is not GroupType.BRACKET:
            return self.orders
        return self.orders[0], *(replace(terms, reduce_only=True) for terms in self.orders[1:])

    def _replayed(self, book: AccountBook, orders: tuple[OrderTerms, ...], group_id: str) -> PlacedGroup | None:
        known = [replayed(book, terms) for terms in orders]
        placed = [answer for answer in known if answer is not None]
        if placed and all(answer.order.group_id == group_id for answer in placed) and len(placed) == len(orders):
            return PlacedGroup(group_id, tuple(placed), placed[-1].sequence, replayed=True)
        if placed:
            raise AlreadyExists(
                "client_order_id: used before in this account, and not in this group",
                client_order_id=placed[0].order.terms.client_order_id,
            )
        if group_id in book.groups:
            raise AlreadyExists(
                "client_group_id: used before in this account with other orders",
                reason="CLIENT_GROUP_ID_REUSED",
                client_group_id=group_id,
            )
        return None

    def _examined(self, book: AccountBook, orders: tuple[OrderTerms, ...]) -> list[CheckedOrder]:
        checks: list[CheckedOrder] = []
        with book.supposing() as suppose:
            for i, terms in enumerate(orders):
                held = self.group_type is not GroupType.OCO and i > 0
                is_exit = held and terms.reduce_only
                checked = examine(book, terms, is_exit=is_exit, held=held, explain=self.validate_only)
                checks.append(checked)
                if not checked.passed:
                    raise self._refused(CheckFailed(checked, terms), i)
                suppose(new_order(book, terms, checked, Role(held=held)))
        return checks

    def _refused(self, refused: DomainError, index: int) -> DomainError:
        refused.metadata = {**refused.metadata, "order": self.paths[index]}
        return refused

    def _accepted(
        self, book: AccountBook, orders: tuple[OrderTerms, ...], checks: list[CheckedOrder], group_id: str
    ) -> tuple[Placed, ...]:
        at_once = self.group_type is GroupType.OCO
        parent = accept(book, orders[0], checks[0], Role(group_id, self.group_type))
        waiting = Role(group_id, self.group_type, "" if at_once else parent.order.order_id, held=not at_once)
        rest = [accept(book, terms, checked, waiting) for terms, checked in zip(orders[1:], checks[1:], strict=True)]
        return parent, *rest
