"""The InstrumentStore port on a SQL database."""

from typing import Final

from msgspec.json import Decoder
from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql

from adapters.persistence.codec import encode
from adapters.persistence.database import Reader
from adapters.persistence.market_tables import instruments
from adapters.persistence.reads import SqlReads, storage_unavailable
from adapters.persistence.sql import text
from adapters.persistence.transactions import Transactions
from domain.market_data.instrument import Instrument

_decode = Decoder(Instrument).decode

_ROW: Final = instruments.c
_GET: Final = select(_ROW.body).where(
    _ROW.provider == text("provider"), _ROW.revision == text("revision"), _ROW.symbol == text("symbol")
)
_NEW: Final = postgresql.insert(instruments).values(
    {column.name: bindparam(column.name) for column in instruments.columns}
)
_KEEP: Final = _NEW.on_conflict_do_update(
    index_elements=["provider", "revision", "symbol"], set_={"body": _NEW.excluded.body}
).returning(_ROW.symbol)


class SqlInstrumentStore(SqlReads):
    def __init__(self, reader: Reader, transactions: Transactions) -> None:
        super().__init__(reader, storage_unavailable)
        self._transactions = transactions

    async def get(self, provider: str, revision: str, symbol: str) -> Instrument | None:
        rows = await self._rows(_GET, {"provider": provider, "revision": revision, "symbol": symbol})
        return _decode(rows[0][0]) if rows else None

    async def keep(self, provider: str, revision: str, instrument: Instrument) -> None:
        row = {"provider": provider, "revision": revision, "symbol": instrument.symbol, "body": encode(instrument)}
        try:
            await self._transactions.commit((_KEEP, row))
        except self._transactions.failures as error:
            raise storage_unavailable() from error
