"""The stream of what bears on an account's risk."""

from collections.abc import AsyncIterator, Iterable

from google.protobuf.message import Message

from application.risk.queries.get_risk_snapshot_query import GetRiskSnapshot, GetRiskSnapshotHandler
from application.trading.trading_engine import TradingEngine
from quantmesh.risk.v1 import risk_event_pb2
from server.interceptors.handlers import Context
from server.interceptors.tracking import Lifecycle
from server.mapping.common import actor_of
from server.mapping.risk_events import is_risk_event, risk_event_message, snapshot_message
from server.streams import JournalView, SharedBytes, journal_stream

_Response = risk_event_pb2.StreamRiskEventsResponse


class RiskStreams:
    """StreamRiskEvents."""

    def __init__(self, engine: TradingEngine, snapshots: GetRiskSnapshotHandler, lifecycle: Lifecycle) -> None:
        self._engine = engine
        self._snapshots = snapshots
        self._lifecycle = lifecycle
        self._risk_events = SharedBytes(lambda event: _Response(event=risk_event_message(event)))

    def StreamRiskEvents(
        self, request: risk_event_pb2.StreamRiskEventsRequest, context: Context
    ) -> AsyncIterator[Message | bytes]:
        feed = self._engine.writer(request.account_id).feed
        view = JournalView(_Response, lambda: self._snapshot(request, context), is_risk_event, self._risk_events)
        return journal_stream(request, context, feed, self._lifecycle, view)

    async def _snapshot(
        self, request: risk_event_pb2.StreamRiskEventsRequest, context: Context
    ) -> tuple[Iterable[Message], int]:
        snapshot = await self._snapshots.handle(GetRiskSnapshot(request.account_id, actor_of(context)))
        return [_Response(snapshot=snapshot_message(snapshot))], snapshot.sequence
