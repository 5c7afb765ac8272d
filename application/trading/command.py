"""What a command is: a message that says what it needs in memory, and decides once it has it."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from application.trading.account_book import AccountBook
from domain.errors import NotFound
from domain.trading.aggregates.order import Order

R_co = TypeVar("R_co", covariant=True)


class Needs(NamedTuple):
    """What must be in the book before a decision, if it exists at all.

    `symbols` are those whose markets are looked at. `valued`: the account is valued, which an order's check does too;
    in its base currency and, where it is set, in `currency`.
    """

    client_order_ids: tuple[str, ...] = ()
    order_ids: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    execution_ids: tuple[str, ...] = ()
    valued: bool = False
    currency: str = ""


class Command(Protocol[R_co]):
    """One change to one account. `decide` runs in the account's writer: it never waits, and it either raises
    a DomainError or records events; its answer is given out after they are committed.
    """

    @property
    def account_id(self) -> str: ...

    @property
    def actor(self) -> str: ...

    def needs(self) -> Needs: ...

    def decide(self, book: AccountBook) -> R_co: ...


@dataclass(frozen=True, slots=True)
class OrderRef:
    """An order by either of its ids; exactly one is set."""

    order_id: str = ""
    client_order_id: str = ""

    def needs(self) -> Needs:
        if self.order_id:
            return Needs(order_ids=(self.order_id,))
        return Needs(client_order_ids=(self.client_order_id,))

    def find(self, book: AccountBook) -> Order:
        """The order, or NotFound."""
        order = book.find(self.order_id, self.client_order_id)
        if order is None:
            raise self.not_found()
        return order

    def not_found(self) -> NotFound:
        field, value = ("order_id", self.order_id) if self.order_id else ("client_order_id", self.client_order_id)
        return NotFound(f"{field}: no order {value!r} in this account", **{field: value})
