"""The reads that journal and repository share."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import SelectBase

from adapters.persistence import queries
from adapters.persistence.codec import decode_fills, decode_order
from adapters.persistence.database import Reader
from adapters.persistence.rows import Row
from adapters.persistence.sql import Query
from domain.errors import Unavailable
from domain.trading.aggregates.order import Order
from domain.trading.entities.fill import Fill

_FEW = 256


def storage_unavailable() -> Unavailable:
    return Unavailable("the store could not be read: repeat the request", reason="STORAGE_UNAVAILABLE")


class SqlReads:
    """Reads through `reader`; what fails there is raised as `unavailable` says."""

    def __init__(self, reader: Reader, unavailable: Callable[[], Exception]) -> None:
        self._reader = reader
        self._unavailable = unavailable

    async def _read(self, *asked: Query) -> list[list[Row]]:
        try:
            return await self._reader.read(*asked)
        except self._reader.failures as error:
            raise self._unavailable() from error

    async def _rows(self, statement: SelectBase, parameters: Mapping[str, Any]) -> list[Row]:
        [rows] = await self._read((statement, parameters))
        return rows

    async def orders_by_client_id(self, account_id: str, client_order_ids: Collection[str]) -> Sequence[Order]:
        rows = await self._look_up(queries.ORDERS_BY_CLIENT_ID, account_id, client_order_ids)
        return [decode_order(body) for (body,) in rows]

    async def known_executions(self, account_id: str, execution_ids: Collection[str]) -> Collection[str]:
        return [id for (id,) in await self._look_up(queries.KNOWN_EXECUTIONS, account_id, execution_ids)]

    async def _look_up(self, wanted: queries.LookUp, account_id: str, ids: Collection[str]) -> Sequence[Row]:
        if len(ids) > _FEW:
            return await self._rows(wanted.of_one, {"account_id": account_id, "ids": list(ids)})
        try:
            return await self._reader.look_up(wanted, account_id, ids)
        except self._reader.failures as error:
            raise self._unavailable() from error

    async def orders_by_id(self, account_id: str, order_ids: Collection[str]) -> Sequence[Order]:
        return await self._orders(queries.ORDERS_BY_ID, account_id, order_ids)

    async def _orders(self, statement: SelectBase, account_id: str, ids: Collection[str]) -> Sequence[Order]:
        rows = await self._rows(statement, {"account_id": account_id, "ids": list(ids)})
        return [decode_order(body) for (body,) in rows]

    async def fills_of_orders(self, account_id: str, order_ids: Collection[str]) -> Sequence[Fill]:
        asked = {"account_id": account_id, "ids": list(order_ids)}
        return decode_fills(await self._rows(queries.FILLS_OF_ORDERS, asked))

    async def fills_of_symbol(self, account_id: str, symbol: str) -> Sequence[Fill]:
        asked = {"account_id": account_id, "symbol": symbol}
        return decode_fills(await self._rows(queries.FILLS_OF_SYMBOL, asked))
