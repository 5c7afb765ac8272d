"""What the demo listens to while it trades. Each feed runs until it is cancelled, and fails if its stream ends."""

from typing import Never

from google.protobuf.duration_pb2 import Duration

from quantmesh.trading.v1.account_service_pb2 import StreamPortfolioRequest
from quantmesh.trading.v1.order_stream_pb2 import StreamFillsRequest, StreamOrderEventsRequest
from server.demo.api import Api
from server.demo.failures import DemoFailed
from server.demo.view import View

# Short, so that silence proves soon that a stream is complete.
_HEARTBEAT = Duration(nanos=250_000_000)


async def follow_events(api: Api, view: View) -> Never:
    """Every event of the account's journal, from the first."""
    request = StreamOrderEventsRequest(account_id=api.account_id, after_sequence=0, heartbeat_interval=_HEARTBEAT)
    async for message in api.orders.StreamOrderEvents(request):
        if message.HasField("event"):
            view.take_event(message.event)
    raise DemoFailed("the server ended the stream of order events")


async def follow_fills(api: Api, view: View) -> Never:
    """Every fill from the first, and by heartbeats how far the stream is complete."""
    request = StreamFillsRequest(account_id=api.account_id, after_sequence=0, heartbeat_interval=_HEARTBEAT)
    async for message in api.orders.StreamFills(request):
        if message.HasField("fill"):
            view.take_fill(message.fill)
        elif message.HasField("heartbeat"):
            view.fills_until = max(view.fills_until, message.heartbeat.sequence)
    raise DemoFailed("the server ended the stream of fills")


async def follow_portfolio(api: Api, view: View) -> Never:
    request = StreamPortfolioRequest(account_id=api.account_id, min_interval=_HEARTBEAT)
    async for message in api.accounts.StreamPortfolio(request):
        if message.HasField("portfolio"):
            view.portfolio = message.portfolio
    raise DemoFailed("the server ended the stream of the portfolio")
