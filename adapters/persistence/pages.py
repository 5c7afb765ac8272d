"""Filtered lists, by keyset pages: a page goes on after a sequence number, so inserts do not shift it."""

from collections.abc import Callable, Mapping
from dataclasses import fields as fields_of
from datetime import datetime
from enum import Enum
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Select, select

from adapters.persistence.rows import microseconds
from adapters.persistence.sql import END, Query, among, number, text
from adapters.persistence.tables import IS_OPEN, fills, orders
from domain.trading.repositories.order_repository import FillFilter, OrderFilter


class Pages:
    """The pages of one table, by the sequence number `key`. `conditions` are named by the filter's fields.

    There is one statement for each set of fields that was ever asked by.
    """

    def __init__(self, key: Column[int], conditions: Mapping[str, ColumnElement[bool]]) -> None:
        self._key = key
        self._conditions = conditions
        self._statements: dict[tuple[frozenset[str], bool], Select[Any]] = {}

    def query(
        self,
        account_id: str,
        where: OrderFilter | FillFilter,
        after: int | None,
        limit: int,
        newest_first: bool,
    ) -> Query:
        asked = asked_of(where)
        if after is None:
            after = END if newest_first else 0
        parameters = {**asked, "account_id": account_id, "after": after, "limit": limit}
        return self._statement(frozenset(asked), newest_first), parameters

    def _statement(self, asked: frozenset[str], newest_first: bool) -> Select[Any]:
        statement = self._statements.get((asked, newest_first))
        if statement is None:
            statement = self._statements[asked, newest_first] = self._build(asked, newest_first)
        return statement

    def _build(self, asked: frozenset[str], newest_first: bool) -> Select[Any]:
        table, key = self._key.table.c, self._key
        past = key < number("after") if newest_first else key > number("after")
        wanted = [self._conditions[name] for name in sorted(asked)]
        return (
            select(table.body)
            .where(table.account_id == text("account_id"), past, *wanted)
            .order_by(key.desc() if newest_first else key)
            .limit(number("limit"))
        )


def asked_of(where: Any) -> dict[str, Any]:
    """The fields of a filter that narrow, as a statement's parameters."""
    return {field.name: _plain(value) for field in fields_of(where) if (value := getattr(where, field.name))}


def _plain(value: Any) -> Any:
    for kind, convert in _PLAIN:
        if isinstance(value, kind):
            return convert(value)
    return value


_PLAIN: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (frozenset, lambda values: sorted(value.value for value in values)),
    (Enum, lambda value: value.value),
    (datetime, microseconds),
)

ORDER_PAGES: Final = Pages(
    orders.c.created_sequence,
    {
        "symbol": orders.c.symbol == text("symbol"),
        "side": orders.c.side == text("side"),
        "statuses": among(orders.c.status, "statuses"),
        "strategy_id": orders.c.strategy_id == text("strategy_id"),
        "group_id": orders.c.group_id == text("group_id"),
        "open_only": IS_OPEN,
        "created_from": orders.c.created_time >= number("created_from"),
        "created_before": orders.c.created_time < number("created_before"),
    },
)

FILL_PAGES: Final = Pages(
    fills.c.sequence,
    {
        "symbol": fills.c.symbol == text("symbol"),
        "side": fills.c.side == text("side"),
        "order_id": fills.c.order_id == text("order_id"),
        "strategy_id": fills.c.strategy_id == text("strategy_id"),
        "filled_from": fills.c.fill_time >= number("filled_from"),
        "filled_before": fills.c.fill_time < number("filled_before"),
    },
)
