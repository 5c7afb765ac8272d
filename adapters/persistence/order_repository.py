"""The OrderRepository port on a SQL database."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from adapters.persistence import queries
from adapters.persistence.codec import (
    decode_account,
    decode_event,
    decode_fill,
    decode_order,
    decode_position,
)
from adapters.persistence.database import Reader
from adapters.persistence.pages import FILL_PAGES, ORDER_PAGES
from adapters.persistence.reads import SqlReads, storage_unavailable
from adapters.persistence.sql import END
from domain.trading.aggregates.account import Account
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import CLOSED, OrderStatus
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.events.order_events import Event
from domain.trading.repositories.order_repository import FillFilter, OrderFilter

# A closed order may still show a request as pending; in any other state that is not closed it is open.
_SURELY_OPEN: Final = frozenset(OrderStatus) - CLOSED - {OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE}


class SqlOrderRepository(SqlReads):
    """Each method is one query; a database that cannot be read raises Unavailable."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader, storage_unavailable)

    async def accounts(self, after: str, limit: int) -> Sequence[Account]:
        rows = await self._rows(queries.ACCOUNTS, {"after": after, "limit": limit})
        return [decode_account(body) for (body,) in rows]

    async def account(self, account_id: str) -> Account | None:
        rows = await self._rows(queries.ACCOUNT, {"account_id": account_id})
        return decode_account(rows[0][0]) if rows else None

    async def order(self, account_id: str, order_id: str) -> Order | None:
        rows = await self._rows(queries.ORDER, {"account_id": account_id, "order_id": order_id})
        return decode_order(rows[0][0]) if rows else None

    async def order_by_client_id(self, account_id: str, client_order_id: str) -> Order | None:
        parameters = {"account_id": account_id, "client_order_id": client_order_id}
        rows = await self._rows(queries.ORDER_BY_CLIENT_ID, parameters)
        return decode_order(rows[0][0]) if rows else None

    async def orders(
        self, account_id: str, where: OrderFilter, after: int | None, limit: int, newest_first: bool
    ) -> Sequence[Order]:
        if where.statuses and where.statuses <= _SURELY_OPEN:
            where = replace(where, open_only=True)  # so that a long history is not walked through for a few
        [rows] = await self._read(ORDER_PAGES.query(account_id, where, after, limit, newest_first))
        return [decode_order(body) for (body,) in rows]

    async def fills(
        self, account_id: str, where: FillFilter, after: int | None, limit: int, newest_first: bool
    ) -> Sequence[Fill]:
        [rows] = await self._read(FILL_PAGES.query(account_id, where, after, limit, newest_first))
        return [decode_fill(body) for (body,) in rows]

    async def positions(self, account_id: str, after: str, limit: int) -> Sequence[Position]:
        parameters = {"account_id": account_id, "after": after, "limit": limit}
        return [decode_position(body) for (body,) in await self._rows(queries.HOLDINGS, parameters)]

    async def events(
        self, account_id: str, after: int, limit: int, order_id: str = "", until: int | None = None
    ) -> Sequence[Event]:
        statement = queries.EVENTS_OF_ORDER if order_id else queries.EVENTS
        parameters = {
            "account_id": account_id,
            "after": after,
            "until": END if until is None else until,
            "limit": limit,
            "order_id": order_id,
        }
        return [decode_event(account_id, *row) for row in await self._rows(statement, parameters)]

    async def last_sequence(self, account_id: str) -> int:
        [(sequence,)] = await self._rows(queries.LAST_SEQUENCE, {"account_id": account_id})
        return int(sequence)
