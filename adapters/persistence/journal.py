"""The Journal port on a SQL database."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from operator import itemgetter
from typing import Final

from adapters.persistence import queries
from adapters.persistence.codec import (
    decode_account,
    decode_control,
    decode_fills,
    decode_order,
    decode_position,
    decode_risk_profile,
    decode_risk_state,
)
from adapters.persistence.database import Reader, Writer
from adapters.persistence.reads import SqlReads
from adapters.persistence.rows import rows_of
from adapters.persistence.sequences import following
from application.ports.journal import AccountSnapshot, Batch, Control, Fenced, JournalUnavailable
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.trading.value_objects.money import Money

_ACCOUNT: Final = (
    queries.ACCOUNT,
    queries.LAST_SEQUENCE,
    queries.RISK_PROFILE,
    queries.RISK_STATE,
    queries.CASH,
    queries.POSITIONS,
    queries.LIVE_ORDERS,
    queries.FILLS_OF_LIVE_ORDERS,
)

_NONE: Final = -1  # an epoch that no database is ever in


class SqlJournal(SqlReads):
    """Appends in turn, each to its end: cancelling who waits for one does not stop it."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        super().__init__(reader, lambda: JournalUnavailable("the store could not be read"))
        self._writer = writer
        self._epoch = _NONE
        self._turn = asyncio.Lock()
        self._last: dict[str, int] = {}

    async def take_over(self) -> int:
        async with self._turn:
            try:
                self._epoch = await self._writer.take_over()
            except Exception as error:
                raise JournalUnavailable("the store could not be taken over") from error
            return self._epoch

    async def append(self, batch: Batch) -> None:
        await asyncio.shield(asyncio.ensure_future(self._append(batch)))

    async def _append(self, batch: Batch) -> None:
        async with self._turn:
            last = following(self._last, batch.events)
            try:
                await self._writer.write(self._epoch, rows_of(batch))
            except Fenced:
                raise
            except Exception as error:
                raise JournalUnavailable("the transaction failed, or its outcome is unknown") from error
            self._last |= last

    async def load(self, account_id: str) -> AccountSnapshot | None:
        async with self._turn:
            try:
                await self._writer.settled()
            except Exception as error:
                raise self._unavailable() from error
        parameters = {"account_id": account_id}
        read = await self._read(*((statement, parameters) for statement in _ACCOUNT))
        account, [(sequence,)], profile, state, cash, positions, orders, fills = read
        if not account:
            return None
        # Never less than what this journal has written itself: the read may be older than the latest append.
        self._last[account_id] = max(sequence, self._last.get(account_id, 0))
        return AccountSnapshot(
            account=decode_account(account[0][0]),
            sequence=sequence,
            risk_profile=decode_risk_profile(profile[0][0]) if profile else RiskProfile(account_id),
            risk_state=decode_risk_state(state[0][0]) if state else RiskState(account_id),
            cash=[Money(Decimal(amount), currency) for amount, currency in cash],
            positions=[decode_position(body) for (body,) in positions],
            orders=[decode_order(body) for body, _ in sorted(orders, key=itemgetter(1))],
            fills=decode_fills(fills),
        )

    async def account_ids(self) -> Sequence[str]:
        return [account_id for (account_id,) in await self._rows(queries.ACCOUNT_IDS, {})]

    async def controls(self) -> Sequence[Control]:
        return [decode_control(kind, body) for kind, body in await self._rows(queries.CONTROLS_IN_FORCE, {})]

    async def close(self) -> None:
        async with self._turn:
            await self._reader.close()
            await self._writer.close()  # last: it leaves no log behind
