"""Backfills: what was asked for, and where one stands."""

from typing import Final

from application.market_data.backfill import Backfill, BackfillState, BackfillTerms
from application.market_data.backfill_failure import BackfillFailure
from application.ports.backfills import BackfillFilter
from domain.decimals import plain
from quantmesh.marketdata.v1 import backfill_job_pb2, backfill_pb2
from server.errors import status_of
from server.mapping.common import (
    enum_table,
    from_optional_timestamp,
    from_timestamp,
    reversed_table,
    to_optional_timestamp,
    to_timestamp,
)
from server.mapping.instruments import ADJUSTMENT_OF, ADJUSTMENTS, INTERVAL_OF, INTERVALS

_STATES: Final = enum_table(backfill_pb2.BackfillState, BackfillState, "BACKFILL_STATE")
_STATE_OF: Final = reversed_table(_STATES)


def backfill_terms(request: backfill_job_pb2.StartBackfillRequest) -> BackfillTerms:
    return BackfillTerms(
        symbols=tuple(request.symbols),
        interval=INTERVAL_OF[request.interval],
        start=from_timestamp("start_time", request.start_time),
        end=from_optional_timestamp(request, "end_time"),
        adjustment=ADJUSTMENT_OF[request.adjustment],
        provider=request.provider,
        extended_hours=request.extended_hours,
    )


def backfill_filter(request: backfill_job_pb2.ListBackfillsRequest) -> BackfillFilter:
    return BackfillFilter(_STATE_OF.get(request.state), request.symbol)


def backfill_message(backfill: Backfill) -> backfill_pb2.Backfill:
    terms = backfill.terms
    return backfill_pb2.Backfill(
        backfill_id=backfill.backfill_id,
        symbols=terms.symbols,
        interval=INTERVALS[terms.interval],
        start_time=to_timestamp(terms.start),
        end_time=to_timestamp(backfill.end),
        adjustment=ADJUSTMENTS[terms.adjustment],
        provider=terms.provider,
        state=_STATES[backfill.state],
        progress=plain(backfill.progress),
        stored_bars=backfill.stored_bars,
        settled_symbols=len(backfill.settled),
        current_symbol=backfill.current_symbol,
        failures=map(_failure, backfill.failures),
        extended_hours=terms.extended_hours,
        created_time=to_timestamp(backfill.created_time),
        updated_time=to_timestamp(backfill.updated_time),
        finished_time=to_optional_timestamp(backfill.finished_time),
    )


def _failure(told: BackfillFailure) -> backfill_pb2.BackfillFailure:
    return backfill_pb2.BackfillFailure(symbol=told.symbol, status=status_of(told.error()))
