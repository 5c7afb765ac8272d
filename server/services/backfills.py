"""The RPCs of MarketDataService about long fetches of bars into the server's store."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Final

from application.market_data.backfill import Backfill
from application.market_data.backfill_runner import BackfillRunner
from application.market_data.commands.cancel_backfill_command import CancelBackfill
from application.market_data.commands.resume_backfill_command import ResumeBackfill
from application.market_data.commands.start_backfill_command import StartBackfill
from application.ports.backfills import Place
from quantmesh.marketdata.v1 import backfill_job_pb2 as pb
from quantmesh.type.v1 import stream_pb2
from server.interceptors.handlers import Context
from server.interceptors.tracking import Lifecycle
from server.mapping.backfills import backfill_filter, backfill_message, backfill_terms
from server.paging import InvalidPageToken, Page, page_of
from server.streams import Pause, heartbeat_of, paced

# Callers take answers of 4 MiB, and a backfill of a thousand instruments may have some hundred KiB.
_LARGEST_PAGE: Final = 2 * 1024 * 1024
_READ_AT_ONCE: Final = 20


class Backfills:
    def __init__(self, runner: BackfillRunner, lifecycle: Lifecycle) -> None:
        self._backfills = runner
        self._backfill_lifecycle = lifecycle

    async def StartBackfill(self, request: pb.StartBackfillRequest, context: Context) -> pb.StartBackfillResponse:
        begun = await StartBackfill(request.backfill_id, backfill_terms(request)).carry_out(self._backfills)
        return pb.StartBackfillResponse(backfill=backfill_message(begun))

    async def GetBackfill(self, request: pb.GetBackfillRequest, context: Context) -> pb.GetBackfillResponse:
        found = await self._backfills.board.get(request.backfill_id)
        return pb.GetBackfillResponse(backfill=backfill_message(found))

    async def ListBackfills(self, request: pb.ListBackfillsRequest, context: Context) -> pb.ListBackfillsResponse:
        page = page_of(request)
        where, place = backfill_filter(request), _place(page)
        found: list[Backfill] = []
        response, size = pb.ListBackfillsResponse(), 0
        while len(found) < page.fetch and size <= _LARGEST_PAGE:
            some = await self._backfills.board.store.page(where, place, min(_READ_AT_ONCE, page.fetch - len(found)))
            if not some:
                break
            found += some
            messages = [backfill_message(one) for one in some]
            response.backfills.extend(messages)
            size += sum(message.ByteSize() for message in messages)
            place = some[-1].created_time, some[-1].backfill_id
        shown = page._replace(size=min(page.size, _fitting(response)))
        fitting, response.next_page_token = shown.cut(found, _key)
        del response.backfills[len(fitting) :]
        return response

    async def StreamBackfill(
        self, request: pb.StreamBackfillRequest, context: Context
    ) -> AsyncIterator[pb.StreamBackfillResponse]:
        sent = 0
        source = self._backfills.board.follow(request.backfill_id)
        lifecycle = self._backfill_lifecycle
        async with aclosing(paced(source, heartbeat_of(request), lifecycle)) as news:  # type: ignore[type-var]
            async for item in news:
                sent += isinstance(item, Backfill)
                yield _news(item, sent)

    async def CancelBackfill(self, request: pb.CancelBackfillRequest, context: Context) -> pb.CancelBackfillResponse:
        canceled = await CancelBackfill(request.backfill_id).carry_out(self._backfills)
        return pb.CancelBackfillResponse(backfill=backfill_message(canceled))

    async def ResumeBackfill(self, request: pb.ResumeBackfillRequest, context: Context) -> pb.ResumeBackfillResponse:
        resumed = await ResumeBackfill(request.backfill_id).carry_out(self._backfills)
        return pb.ResumeBackfillResponse(backfill=backfill_message(resumed))


def _news(item: Backfill | Pause, sent: int) -> pb.StreamBackfillResponse:
    if isinstance(item, Backfill):
        return pb.StreamBackfillResponse(backfill=backfill_message(item))
    if item is Pause.GOODBYE:
        return pb.StreamBackfillResponse(goodbye=stream_pb2.Goodbye(sequence=sent))
    return pb.StreamBackfillResponse(heartbeat=stream_pb2.Heartbeat(sequence=sent))


def _fitting(response: pb.ListBackfillsResponse) -> int:
    """How many of them, at least one, are small enough together."""
    size = 0
    for count, message in enumerate(response.backfills):
        size += message.ByteSize()
        if count and size > _LARGEST_PAGE:
            return count
    return len(response.backfills)


def _key(backfill: Backfill) -> str:
    return f"{backfill.created_time.isoformat()} {backfill.backfill_id}"


def _place(page: Page) -> Place | None:
    if not page.key:
        return None
    time, _, backfill_id = page.key.partition(" ")
    try:
        return datetime.fromisoformat(time), backfill_id
    except ValueError:
        raise InvalidPageToken from None
