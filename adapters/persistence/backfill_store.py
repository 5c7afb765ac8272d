"""The BackfillStore port on a SQL database."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from msgspec.json import Decoder
from sqlalchemy import Select, bindparam, select, tuple_, update
from sqlalchemy.dialects import postgresql

from adapters.persistence.codec import encode
from adapters.persistence.database import Reader
from adapters.persistence.market_tables import UNFINISHED, backfill_symbols, backfills
from adapters.persistence.pages import asked_of
from adapters.persistence.reads import SqlReads, storage_unavailable
from adapters.persistence.rows import microseconds
from adapters.persistence.sql import END, Query, number, text
from adapters.persistence.transactions import Transactions, Write
from application.market_data.backfill import Backfill
from application.ports.backfills import BackfillFilter, Place

_decode = Decoder(Backfill).decode

_JOB: Final = backfills.c
_OF_SYMBOL: Final = select(backfill_symbols.c.backfill_id).where(backfill_symbols.c.symbol == text("symbol"))
_CONDITIONS: Final = {
    "state": _JOB.state == text("state"),
    "symbol": _JOB.backfill_id.in_(_OF_SYMBOL),
}
_GET: Final = select(_JOB.body).where(_JOB.backfill_id == text("backfill_id"))
_UNFINISHED: Final = select(_JOB.body).where(UNFINISHED).order_by(_JOB.created_time, _JOB.backfill_id)
_ADD: Final = (
    postgresql.insert(backfills)
    .values({column.name: bindparam(column.name) for column in backfills.columns})
    .on_conflict_do_nothing()
    .returning(_JOB.backfill_id)
)
_ADD_SYMBOL: Final = postgresql.insert(backfill_symbols).values(symbol=text("symbol"), backfill_id=text("backfill_id"))
_CHANGING: Final = ("state", "finished", "version", "body")
_SAVE: Final = (
    update(backfills)
    .where(_JOB.backfill_id == text("of_backfill"), _JOB.version == number("was"))
    .values({name: bindparam(f"new_{name}", type_=_JOB[name].type) for name in _CHANGING})
    .returning(_JOB.backfill_id)
)


@cache
def _page(asked: frozenset[str]) -> Select[Any]:
    past = tuple_(_JOB.created_time, _JOB.backfill_id) < tuple_(number("after_time"), text("after_id"))
    return (
        select(_JOB.body)
        .where(past, *(_CONDITIONS[name] for name in sorted(asked)))
        .order_by(_JOB.created_time.desc(), _JOB.backfill_id.desc())
        .limit(number("limit"))
    )


class SqlBackfillStore(SqlReads):
    def __init__(self, reader: Reader, transactions: Transactions) -> None:
        super().__init__(reader, storage_unavailable)
        self._transactions = transactions

    async def add(self, backfill: Backfill) -> bool:
        row = _changing(backfill) | {
            "backfill_id": backfill.backfill_id,
            "created_time": microseconds(backfill.created_time),
        }
        symbols = [{"symbol": one, "backfill_id": backfill.backfill_id} for one in backfill.terms.symbols]
        return await self._commit((_ADD, row), [(_ADD_SYMBOL, symbols)])

    async def save(self, backfill: Backfill) -> bool:
        row = {f"new_{name}": value for name, value in _changing(backfill).items()}
        return await self._commit((_SAVE, row | {"of_backfill": backfill.backfill_id, "was": backfill.version - 1}))

    async def get(self, backfill_id: str) -> Backfill | None:
        rows = await self._rows(_GET, {"backfill_id": backfill_id})
        return _decode(rows[0][0]) if rows else None

    async def unfinished(self) -> Sequence[Backfill]:
        return [_decode(body) for (body,) in await self._rows(_UNFINISHED, {})]

    async def page(self, where: BackfillFilter, after: Place | None, limit: int) -> Sequence[Backfill]:
        asked = asked_of(where)
        time, id = (END, "") if after is None else (microseconds(after[0]), after[1])
        parameters = {**asked, "after_time": time, "after_id": id, "limit": limit}
        return [_decode(body) for (body,) in await self._rows(_page(frozenset(asked)), parameters)]

    async def _commit(self, guard: Query, writes: Sequence[Write] = ()) -> bool:
        try:
            return await self._transactions.commit(guard, writes)
        except self._transactions.failures as error:
            raise storage_unavailable() from error


def _changing(backfill: Backfill) -> dict[str, Any]:
    return {
        "state": backfill.state.value,
        "finished": backfill.ended,
        "version": backfill.version,
        "body": encode(backfill),
    }
