"""The BarStore port on a SQL database."""

import asyncio
import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec.json import Decoder
from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql

from adapters.persistence.codec import encode
from adapters.persistence.database import Reader
from adapters.persistence.market_tables import bar_blocks, bar_series
from adapters.persistence.reads import storage_unavailable
from adapters.persistence.rows import Row, from_microseconds, microseconds
from adapters.persistence.sql import Query, number, text
from adapters.persistence.stretches import cut, joined, woven
from adapters.persistence.transactions import Transactions, Write
from application.ports.bar_store import SeriesKey, Span, Stretch
from domain.market_data.bar import Bar

_BLOCK_BARS: Final = 500
_MOST_TRIES: Final = 20

_decode = Decoder(list[Bar]).decode

_SERIES: Final = bar_series.c
_BLOCK: Final = bar_blocks.c
_KEY: Final = ("provider", "revision", "symbol", "interval", "adjustment", "extended_hours")
_IS_SERIES: Final = tuple(_SERIES[name] == bindparam(f"of_{name}", type_=_SERIES[name].type) for name in _KEY)
_OF_SERIES: Final = select(_SERIES.series_id).where(*_IS_SERIES, _SERIES.vintage == text("vintage")).scalar_subquery()

# The block that begins at or before the start; it is found by the key, without looking at those before it.
_FIRST: Final = (
    select(func.max(_BLOCK.start_time))
    .where(_BLOCK.series_id == _OF_SERIES, _BLOCK.start_time <= number("from_time"))
    .scalar_subquery()
)
_IN_RANGE: Final = (
    _BLOCK.series_id == _OF_SERIES,
    _BLOCK.start_time >= func.coalesce(_FIRST, number("from_time")),
    _BLOCK.end_time > number("from_time"),
    _BLOCK.start_time < number("before_time"),
)
_BLOCKS: Final = (
    select(_BLOCK.start_time, _BLOCK.end_time, _BLOCK.body)
    .where(*_IN_RANGE)
    .order_by(_BLOCK.start_time)
    .limit(number("most"))
)
_SPANS: Final = select(_BLOCK.start_time, _BLOCK.end_time).where(*_IN_RANGE).order_by(_BLOCK.start_time)
_STANDS: Final = select(_SERIES.series_id, _SERIES.vintage, _SERIES.version).where(*_IS_SERIES)

_NEW_SERIES: Final = {name: bindparam(f"of_{name}", type_=_SERIES[name].type) for name in _KEY} | {
    "vintage": text("vintage"),
    "version": number("zero"),
}
# What PostgreSQL's inserts are told of conflicts, SQLite understands as well.
_ADD_SERIES: Final = (
    postgresql.insert(bar_series).values(_NEW_SERIES).on_conflict_do_nothing().returning(_SERIES.series_id)
)
_CHANGE: Final = (
    update(bar_series)
    .where(_SERIES.series_id == number("of_series"), _SERIES.version == number("was"))
    .values(version=number("becomes"), vintage=text("new_vintage"))
    .returning(_SERIES.series_id)
)
_DROP_ALL: Final = delete(bar_blocks).where(_BLOCK.series_id == number("of_series"))
_DROP: Final = _DROP_ALL.where(_BLOCK.start_time == number("at"))
_ADD: Final = postgresql.insert(bar_blocks).values(
    {column.name: bindparam(column.name) for column in bar_blocks.columns}
)


class SqlBarStore:
    """Bodies are packed and unpacked on threads: the event loop has others to serve."""

    def __init__(self, reader: Reader, transactions: Transactions) -> None:
        self._reader = reader
        self._transactions = transactions
        self._turn = asyncio.Lock()

    async def read(self, series: SeriesKey, start: datetime, end: datetime, limit: int) -> Sequence[Stretch]:
        found: list[Stretch] = []
        bars, most = 0, 2 + limit // _BLOCK_BARS
        while start < end and bars < limit:
            rows = await self._rows((_BLOCKS, _range(series, start, end) | {"most": most}))
            read = await asyncio.to_thread(_stretches, rows, start, end)
            found += read
            bars += sum(len(stretch.bars) for stretch in read)
            if len(rows) < most:
                break
            start = read[-1].end
        return found

    async def settled(self, series: SeriesKey, start: datetime, end: datetime) -> Sequence[Span]:
        rows = await self._rows((_SPANS, _range(series, start, end)))
        spans = (Span(from_microseconds(first), from_microseconds(last)) for first, last in rows)
        return joined(Span(max(start, span.start), min(end, span.end)) for span in spans)

    async def keep(self, series: SeriesKey, stretches: Sequence[Stretch]) -> None:
        if not stretches:
            return
        async with self._turn:  # so that only another server comes between
            for _ in range(_MOST_TRIES):
                if await self._kept(series, stretches):
                    return
        raise storage_unavailable()

    async def _kept(self, series: SeriesKey, stretches: Sequence[Stretch]) -> bool:
        """False when the series was changed at the same time."""
        known = await self._rows((_STANDS, _named(series)))
        if not known:
            await self._commit((_ADD_SERIES, _named(series) | {"vintage": series.vintage, "zero": 0}))
            return False
        [(series_id, vintage, version)] = known
        if vintage > series.vintage:
            return True
        guard = {"of_series": series_id, "was": version, "becomes": version + 1, "new_vintage": series.vintage}
        writes = await self._writes(series, series_id, stretches, anew=vintage < series.vintage)
        return await self._commit((_CHANGE, guard), writes)

    async def _writes(self, series: SeriesKey, series_id: int, stretches: Sequence[Stretch], anew: bool) -> list[Write]:
        kept: list[Stretch] = []
        if not anew:
            kept = await self._around(series, stretches[0].start, stretches[-1].end)
        blocks = woven(kept, stretches, _BLOCK_BARS)
        same = {id(block) for block in blocks}.intersection(map(id, kept))
        added = [block for block in blocks if id(block) not in same]
        rows = await asyncio.to_thread(lambda: [_row(series_id, block) for block in added])
        dropped = [{"of_series": series_id, "at": microseconds(block.start)} for block in kept if id(block) not in same]
        writes: list[Write] = [(_DROP_ALL, [{"of_series": series_id}])] if anew else []
        writes += [(_DROP, dropped)] if dropped else []
        return [*writes, (_ADD, rows)]

    async def _around(self, series: SeriesKey, start: datetime, end: datetime) -> list[Stretch]:
        """The blocks that overlap or touch [start, end), whole."""
        asked = _named(series) | {"vintage": series.vintage, "most": 2**31 - 1}
        asked |= {"from_time": microseconds(start) - 1, "before_time": microseconds(end) + 1}
        rows = await self._rows((_BLOCKS, asked))
        return await asyncio.to_thread(lambda: [_stretch(*row) for row in rows])

    async def _rows(self, query: Query) -> list[Row]:
        try:
            [rows] = await self._reader.read(query)
        except self._reader.failures as error:
            raise storage_unavailable() from error
        return rows

    async def _commit(self, guard: Query, writes: Sequence[Write] = ()) -> bool:
        try:
            return await self._transactions.commit(guard, writes)
        except self._transactions.failures as error:
            raise storage_unavailable() from error


def _named(series: SeriesKey) -> dict[str, Any]:
    return {
        "of_provider": series.provider,
        "of_revision": series.revision,
        "of_symbol": series.symbol,
        "of_interval": series.interval.value,
        "of_adjustment": series.adjustment.value,
        "of_extended_hours": series.extended_hours,
    }


def _range(series: SeriesKey, start: datetime, end: datetime) -> dict[str, Any]:
    return _named(series) | {
        "vintage": series.vintage,
        "from_time": microseconds(start),
        "before_time": microseconds(end),
    }


def _stretches(rows: Sequence[Row], start: datetime, end: datetime) -> list[Stretch]:
    return [cut(_stretch(*row), start, end) for row in rows]


def _stretch(start: int, end: int, body: bytes) -> Stretch:
    return Stretch(from_microseconds(start), from_microseconds(end), _decode(zlib.decompress(body)))


def _row(series_id: int, block: Stretch) -> dict[str, Any]:
    return {
        "series_id": series_id,
        "start_time": microseconds(block.start),
        "end_time": microseconds(block.end),
        "bars": len(block.bars),
        "body": zlib.compress(encode(block.bars), 1),
    }
