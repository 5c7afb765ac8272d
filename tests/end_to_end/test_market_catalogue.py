"""Bars that a vendor gave once are kept: what is asked of it again is what is missing, also after a crash."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import pytest_asyncio
from aiohttp import web

from adapters.market_data.conventions import US_EQUITY_HOURS
from quantmesh.marketdata.v1.backfill_job_pb2 import (
    CancelBackfillRequest,
    GetBackfillRequest,
    ResumeBackfillRequest,
    StartBackfillRequest,
    StreamBackfillRequest,
)
from quantmesh.marketdata.v1.backfill_pb2 import (
    BACKFILL_STATE_CANCELED,
    BACKFILL_STATE_RUNNING,
    BACKFILL_STATE_SUCCEEDED,
    Backfill,
)
from quantmesh.marketdata.v1.bar_pb2 import BAR_INTERVAL_ONE_MINUTE
from quantmesh.marketdata.v1.market_data_query_pb2 import ListBarsRequest
from tests.end_to_end.books import read_all
from tests.end_to_end.vendor_desk import (
    MINUTE,
    Desk,
    bars,
    opens,
    polygon_settings,
    polygon_vendor,
    prices,
    refused,
    serving,
    stock,
    timestamp,
)
from tests.support.server import Client, Site
from tests.support.vendors.polygon import FakePolygon, Row, refusal
from tests.support.vendors.polygon_market import NOW, OPEN, rows

pytestmark = pytest.mark.timeout(120)

_ROUTES: Final = {"market_routes": "AAPL=polygon"}
_START: Final = datetime(2025, 12, 15, tzinfo=UTC)
_END: Final = datetime(2026, 2, 7, tzinfo=UTC)
_PATIENCE: Final = 20.0


def _asked(polygon: FakePolygon, since: int = 0) -> list[tuple[datetime, datetime]]:
    """The ranges of minutes that the vendor was asked for."""
    paths = [path.partition("?")[0].split("/") for path in polygon.requests[since:]]
    return [(_at(path[8]), _at(path[9]) + timedelta(milliseconds=1)) for path in paths if path[2] == "aggs"]


def _at(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1_000, UTC)


def _down(polygon: FakePolygon) -> None:
    polygon.bad_days.extend([refusal(503, {})] * 100)


# -- requests ----------------------------------------------------------------------------------------------------


async def test_bars_are_served_while_their_vendor_is_down_also_after_a_restart_and_not_asked_for_again(
    tmp_path: Path,
) -> None:
    site, hour = Site(tmp_path), (OPEN, OPEN + 60 * MINUTE)
    async with polygon_vendor() as polygon:
        polygon.aggregates["AAPL", 1, "minute"] = rows(OPEN, MINUTE, 60)
        settings = {**polygon_settings(polygon), **_ROUTES}
        async with serving(site, **settings) as desk:
            first = await bars(desk.client, "AAPL", *hour)
            assert opens(first) == [OPEN + n * MINUTE for n in range(60)]
            _down(polygon)
            assert (await bars(desk.client, "AAPL", *hour)) == first
            assert (await bars(desk.client, "AAPL", OPEN + 20 * MINUTE, OPEN + 30 * MINUTE)).bars == first.bars[20:30]
            failed = await refused(bars(desk.client, "AAPL", OPEN, OPEN + 61 * MINUTE))
            assert failed.reason == "MARKET_DATA_UNAVAILABLE", "half of what was asked for is none"
        asked = len(polygon.requests)
        for vendor_is_back in (False, True):
            if vendor_is_back:
                polygon.bad_days.clear()
            async with serving(site, **settings) as desk:
                assert (await bars(desk.client, "AAPL", *hour)) == first
        assert not _asked(polygon, since=asked)


class Kept(NamedTuple):
    desk: Desk
    polygon: FakePolygon


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def kept(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kept]:
    """One server for tests with a share of their own each."""
    site = Site(tmp_path_factory.mktemp("kept"))
    async with polygon_vendor() as polygon, serving(site, **polygon_settings(polygon)) as desk:
        yield Kept(desk, polygon)


def _list(polygon: FakePolygon, ticker: str) -> list[Row]:
    """A new share, with minutes up to now."""
    polygon.tickers.append(stock(ticker))
    table = polygon.aggregates[ticker, 1, "minute"] = rows(OPEN, MINUTE, 150)
    return table


async def test_only_what_is_missing_is_asked_for(kept: Kept) -> None:
    client, polygon = kept.desk.client, kept.polygon
    _list(polygon, "HOLES")
    for start, end in ((20, 40), (60, 80)):
        await bars(client, "HOLES", OPEN + start * MINUTE, OPEN + end * MINUTE, provider="polygon")
    asked = len(polygon.requests)
    answer = await bars(client, "HOLES", OPEN, OPEN + 100 * MINUTE, provider="polygon")
    assert opens(answer) == [OPEN + n * MINUTE for n in range(100)]
    assert _asked(polygon, since=asked) == [
        (OPEN + start * MINUTE, OPEN + end * MINUTE) for start, end in ((0, 20), (40, 60), (80, 100))
    ]


async def test_what_many_callers_lack_at_the_same_time_is_asked_for_once(kept: Kept) -> None:
    client, polygon = kept.desk.client, kept.polygon
    table = _list(polygon, "MANY")

    async def slowly(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(0.5)
        return web.json_response({"status": "OK", "results": table[:60]})

    asked = len(polygon.requests)
    polygon.bad_days.extend((None, slowly))
    calls = (bars(client, "MANY", OPEN, OPEN + 60 * MINUTE, provider="polygon") for _ in range(32))
    answers = await asyncio.gather(*calls)
    assert all(opens(answer) == [OPEN + n * MINUTE for n in range(60)] for answer in answers)
    assert _asked(polygon, since=asked) == [(OPEN, OPEN + 60 * MINUTE)]


async def test_what_can_still_change_is_asked_for_again(kept: Kept) -> None:
    """Minutes of the last quarter of an hour: a print that was reported late changes them."""
    client, polygon = kept.desk.client, kept.polygon
    table = _list(polygon, "LATE")
    before = await bars(client, "LATE", provider="polygon")
    table[5]["v"], table[149]["v"] = 77, 78
    asked = len(polygon.requests)
    after = await bars(client, "LATE", provider="polygon")
    assert [n for n, bar in enumerate(after.bars) if bar != before.bars[n]] == [149]
    assert after.bars[149].volume == "78"
    ((start, _),) = _asked(polygon, since=asked)
    assert NOW - 20 * MINUTE < start < NOW


# -- backfills ---------------------------------------------------------------------------------------------------


def _months() -> list[Row]:
    """Every minute of the sessions between _START and _END."""
    sessions = takewhile(lambda session: session.open < _END, US_EQUITY_HOURS.sessions(_START))
    return [row for session in sessions for row in rows(session.open, MINUTE, (session.close - session.open) // MINUTE)]


async def _start(client: Client) -> None:
    request = StartBackfillRequest(
        backfill_id="months",
        symbols=["AAPL"],
        interval=BAR_INTERVAL_ONE_MINUTE,
        start_time=timestamp(_START),
        end_time=timestamp(_END),
    )
    await client.market.StartBackfill(request)


async def _seen(client: Client) -> list[Backfill]:
    """All that the stream tells until the backfill has ended."""
    stream = client.market.StreamBackfill(StreamBackfillRequest(backfill_id="months"), timeout=_PATIENCE)
    return [message.backfill async for message in stream if message.WhichOneof("message") == "backfill"]


async def _now(client: Client) -> Backfill:
    return (await client.market.GetBackfill(GetBackfillRequest(backfill_id="months"))).backfill


def _require_progress(seen: Iterable[Backfill]) -> None:
    seen = list(seen)
    for name in ("progress", "stored_bars", "settled_symbols"):
        values = [float(getattr(one, name)) for one in seen]
        assert values == sorted(values), f"{name} fell: {values}"
    assert (seen[-1].state, float(seen[-1].progress)) == (BACKFILL_STATE_SUCCEEDED, 1)


async def _require_all_kept(desk: Desk, polygon: FakePolygon, table: list[Row]) -> None:
    asked = len(polygon.requests)
    request = ListBarsRequest(
        symbol="AAPL",
        interval=BAR_INTERVAL_ONE_MINUTE,
        start_time=timestamp(_START),
        end_time=timestamp(_END),
    )
    kept = await read_all(desk.client.market.ListBars, request, "bars", 10_000)
    assert [int(bar.open_time.seconds * 1_000) for bar in kept] == [one["t"] for one in table]
    assert prices(kept[-1]) == tuple(table[-1][name] for name in ("o", "h", "l", "c", "v"))
    assert not _asked(polygon, since=asked)


class _Gate:
    """A request that the vendor does not answer before it is let go, and then badly."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._let_go = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.reached.set()
        await self._let_go.wait()
        return web.Response(status=503)

    def let_go(self) -> None:
        self._let_go.set()


async def test_a_backfill_waits_out_a_rate_limit_and_its_progress_never_falls(tmp_path: Path) -> None:
    async with polygon_vendor() as polygon:
        table = polygon.aggregates["AAPL", 1, "minute"] = _months()
        limit = refusal(429, {"status": "ERROR"}, Retry_After="1")
        polygon.bad_days.extend((None, None, limit, None, refusal(500, {})))
        async with serving(Site(tmp_path), **polygon_settings(polygon), **_ROUTES) as desk:
            await _start(desk.client)
            first, second = await asyncio.gather(_seen(desk.client), _seen(desk.client))
            for seen in (first, second):
                _require_progress(seen)
                assert seen[-1].stored_bars == len(table)
                assert not seen[-1].failures
            assert len({one.progress for one in first}) >= 4
            await _require_all_kept(desk, polygon, table)


async def test_a_backfill_is_canceled_and_resumed_where_it_stopped(tmp_path: Path) -> None:
    async with polygon_vendor() as polygon:
        table, gate = _months(), _Gate()
        polygon.aggregates["AAPL", 1, "minute"] = table
        polygon.bad_days.extend((None, None, None, gate))
        settings = {**polygon_settings(polygon), "polygon_timeout_seconds": 20}
        async with serving(Site(tmp_path), **settings, **_ROUTES) as desk:
            await _start(desk.client)
            seeing = asyncio.create_task(_seen(desk.client))
            await asyncio.wait_for(gate.reached.wait(), _PATIENCE)
            await desk.client.market.CancelBackfill(CancelBackfillRequest(backfill_id="months"))
            seen = await seeing
            assert seen[-1].state == BACKFILL_STATE_CANCELED
            assert 0 < float(seen[-1].progress) < 1
            gate.let_go()

            asked = len(polygon.requests)
            await desk.client.market.ResumeBackfill(ResumeBackfillRequest(backfill_id="months"))
            _require_progress([seen[-1], *await _seen(desk.client)])
            _require_nothing_twice(polygon, asked, seen[-1])
            await _require_all_kept(desk, polygon, table)


async def test_a_backfill_goes_on_after_kill_9_without_asking_again_for_what_is_stored(tmp_path: Path) -> None:
    site = Site(tmp_path)
    async with polygon_vendor() as polygon:
        table, gate = _months(), _Gate()
        polygon.aggregates["AAPL", 1, "minute"] = table
        polygon.bad_days.extend((None, None, None, gate))
        settings: dict[str, Any] = {**polygon_settings(polygon), "polygon_timeout_seconds": 20, **_ROUTES}
        async with serving(site, **settings) as desk:
            await _start(desk.client)
            await asyncio.wait_for(gate.reached.wait(), _PATIENCE)
            before = await _now(desk.client)
            assert (before.state, 0 < float(before.progress) < 1) == (BACKFILL_STATE_RUNNING, True)
            desk.server.kill()
        gate.let_go()
        asked = len(polygon.requests)
        # A minute later nobody takes the one that was killed for alive any more.
        async with serving(site, **settings, clock_start=(NOW + MINUTE).isoformat()) as desk:
            _require_progress([before, *await _seen(desk.client)])
            _require_nothing_twice(polygon, asked, before)
            await _require_all_kept(desk, polygon, table)


def _require_nothing_twice(polygon: FakePolygon, asked: int, before: Backfill) -> None:
    """What was asked for since lies behind what was settled then."""
    settled = _START + float(before.progress) * (_END - _START)
    ranges = _asked(polygon, since=asked)
    assert ranges
    assert all(start > settled - MINUTE for start, _ in ranges)
    assert [start for start, _ in ranges] == sorted({start for start, _ in ranges})
