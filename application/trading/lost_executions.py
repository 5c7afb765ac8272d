"""Executions of which a process was told, and died before it had written them down.

Orders that work are asked about one by one. An order that had ended is not, and may have traded in its last moment:
so after a start each broker is asked for all that was executed since shortly before the last event of an account.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta

from application.ports.broker import BrokerUnavailable
from application.ports.clock import Clock
from application.trading.account_writer import AccountWriter
from domain.errors import Unavailable
from domain.trading.repositories.order_repository import OrderRepository

_log = logging.getLogger(__name__)

# How much earlier than the last event that was written a trade may be whose report came after it.
_REPORTED_WITHIN = timedelta(hours=1)
_ANSWERED_WITHIN = 30.0
_ASK_AGAIN_SECONDS = 5.0


async def take_lost_executions(left_off: Mapping[AccountWriter, int], store: OrderRepository, clock: Clock) -> None:
    """Ask for each account, whose last sequence before the start is given, until its broker has answered.

    A broker that does not is left alone for the rest of a round: its silence must not hold up the others' accounts.
    """
    waiting = dict(left_off)
    while waiting:
        silent = set[str]()
        for writer, sequence in list(waiting.items()):
            if writer.broker.name in silent:
                continue
            try:
                await _take(writer, sequence, store)
            except (BrokerUnavailable, Unavailable, TimeoutError):
                silent.add(writer.broker.name)
                continue
            except Exception:
                _log.exception("asking %s for executions of %s failed", writer.broker.name, writer.account_id)
                continue
            del waiting[writer]
        if waiting:
            await clock.sleep(_ASK_AGAIN_SECONDS)


async def _take(writer: AccountWriter, sequence: int, store: OrderRepository) -> None:
    [last] = await store.events(writer.account_id, sequence - 1, 1)
    async with asyncio.timeout(_ANSWERED_WITHIN):
        reports = await writer.broker.executions(writer.account_id, last.event_time - _REPORTED_WITHIN)
    for report in reports:
        writer.report(report)
