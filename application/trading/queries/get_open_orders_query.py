"""The open orders of an account at one moment of its journal."""

from dataclasses import dataclass

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from domain.trading.aggregates.order import Order


@dataclass(frozen=True, slots=True)
class OpenOrdersView:
    """Every order that is open after event `sequence`, oldest first."""

    orders: tuple[Order, ...]
    sequence: int


@dataclass(frozen=True, slots=True)
class GetOpenOrders:
    """Read in the account's turn and answered once committed, so a stream can go on from `sequence`."""

    account_id: str
    actor: str

    def needs(self) -> Needs:
        return Needs()

    def decide(self, book: AccountBook) -> OpenOrdersView:
        orders = sorted(book.open(), key=lambda order: order.created_sequence)
        return OpenOrdersView(tuple(orders), book.sequence)
