"""What a caller sees of a vendor's bad days: data that is right, or a status that says what happened and what helps."""

import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import pytest
import pytest_asyncio

from quantmesh.marketdata.v1.bar_pb2 import BAR_GAP_REASON_INVALID_DATA, BAR_GAP_REASON_NO_TRADES
from quantmesh.marketdata.v1.instrument_query_pb2 import GetInstrumentRequest
from quantmesh.marketdata.v1.market_data_query_pb2 import BatchGetQuotesRequest
from tests.end_to_end.refusals import read
from tests.end_to_end.vendor_desk import (
    MINUTE,
    SIMULATED,
    Desk,
    alpaca_settings,
    bars,
    opens,
    polygon_settings,
    polygon_vendor,
    prices,
    quote,
    refused,
    retry_seconds,
    serving,
    snapshot,
    stock,
    utc,
)
from tests.support.server import Site
from tests.support.vendors.alpaca_data import AlpacaServer, asset, cut_off, status
from tests.support.vendors.polygon import Answer, FakePolygon, half_a_page, never, refusal, text
from tests.support.vendors.polygon_market import NOW, OPEN, row, rows
from tests.support.vendors.yahoo import FakeYahoo, too_many
from tests.support.vendors.yahoo_market import apple

_BARS: Final = 30
_WRONG: Final = "a key that nobody but its vendor may see"
_REMEDIES: Final = {
    "polygon": "QUANTMESH_POLYGON_API_KEY=...",
    "alpaca": "QUANTMESH_ALPACA_KEY_ID=... QUANTMESH_ALPACA_SECRET_KEY=...",
}
_ODD_ROWS: Final = (
    '{"status": "OK", "results": [{"t": "noon", "o": {}, "h": [], "l": true, "c": "dear", "v": null}, 7]}'
)


class BadDay(NamedTuple):
    """Vendors with a share each, on one server; `symbol` is new to it."""

    desk: Desk
    polygon: FakePolygon
    alpaca: AlpacaServer
    yahoo: FakeYahoo


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bad_day(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BadDay]:
    """One server for all of them, as one has: a bad day is over when the next test begins."""
    folder = tmp_path_factory.mktemp("vendors")
    async with polygon_vendor() as polygon, AlpacaServer().running() as alpaca, FakeYahoo(folder, NOW) as yahoo:
        settings = {
            **polygon_settings(polygon),
            **alpaca_settings(alpaca),
            "yfinance_proxy": yahoo.proxy,
            "yfinance_ca_file": yahoo.ca_file,
            "polygon_timeout_seconds": 1,
            "board_retry_seconds": 60,  # nothing but these tests asks
        }
        async with serving(Site(folder), **settings) as desk:
            yield BadDay(desk, polygon, alpaca, yahoo)


def _list(polygon: FakePolygon, ticker: str) -> str:
    """A share that the server has not heard of, with half an hour of bars."""
    polygon.tickers.append(stock(ticker))
    polygon.aggregates[ticker, 1, "minute"] = rows(OPEN, MINUTE, _BARS)
    return ticker


# -- answers that are none ---------------------------------------------------------------------------------------

_NONSENSE: Final[dict[str, Answer]] = {
    "it fails": refusal(500, {"status": "ERROR", "error": "Traceback (most recent call last): ValueError"}),
    "it is down": refusal(503, "<html>"),
    "it says no JSON": text("<html>503</html>"),
    "it says half a JSON": text('{"status": "OK", "results": [{"t": 17'),
    "its page breaks off": half_a_page('{"status": "OK", "results": ['),
    "it says something else": text('["OK"]'),
    "it says that it failed": text('{"status": "ERROR", "error": "internal"}'),
    "it does not answer": never,
}


@pytest.mark.parametrize("name", _NONSENSE)
async def test_a_request_that_a_vendor_does_not_answer_well_is_safe_to_repeat(bad_day: BadDay, name: str) -> None:
    client, polygon = bad_day.desk.client, bad_day.polygon
    symbol = _list(polygon, f"N{list(_NONSENSE).index(name)}")
    polygon.snapshots[symbol] = snapshot(symbol, 10, 11, await bad_day.desk.now())
    asked: list[Callable[[], Any]] = [
        lambda: client.market.GetInstrument(GetInstrumentRequest(symbol=symbol, provider="polygon")),
        lambda: quote(client, symbol, "polygon"),
        lambda: bars(client, symbol, end=OPEN + _BARS * MINUTE, provider="polygon"),
    ]
    for ask in asked:
        polygon.bad_days.append(_NONSENSE[name])
        failed = await refused(ask())
        assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "MARKET_DATA_UNAVAILABLE")
        assert failed.retry
        assert failed.metadata["provider"] == "polygon"
        answer = await ask()
    assert len(answer.bars) == _BARS


async def test_of_an_answer_of_several_pages_there_is_all_or_nothing(bad_day: BadDay) -> None:
    client, polygon = bad_day.desk.client, bad_day.polygon
    symbol = _list(polygon, "PAGES")
    polygon.page_size = 10
    try:
        await client.market.GetInstrument(GetInstrumentRequest(symbol=symbol, provider="polygon"))
        for bad in (refusal(500, {}), half_a_page("{"), text('{"status": "OK", "results": []'), text("null")):
            polygon.bad_days.extend((None, bad))
            failed = await refused(bars(client, symbol, provider="polygon"))
            assert failed.reason == "MARKET_DATA_UNAVAILABLE"
        listed = await bars(client, symbol, provider="polygon")
    finally:
        polygon.page_size = 50_000
    assert opens(listed) == [OPEN + n * MINUTE for n in range(_BARS)]


async def test_a_vendor_that_fails_does_not_fail_the_others_in_one_request(bad_day: BadDay) -> None:
    client, alpaca = bad_day.desk.client, bad_day.alpaca
    alpaca.assets = [asset("AAPL")]
    for answer in (status(500, "TypeError: unhashable"), cut_off):
        alpaca.answers.append(answer)
        failed = await refused(client.market.GetInstrument(GetInstrumentRequest(symbol="AAPL", provider="alpaca")))
        assert failed.reason == "MARKET_DATA_UNAVAILABLE"
    symbol = _list(bad_day.polygon, "BATCH")
    await client.market.GetInstrument(GetInstrumentRequest(symbol=symbol, provider="polygon"))
    assert (await refused(quote(client, "NOPE", "polygon"))).reason == "INSTRUMENT_NOT_FOUND"
    bad_day.polygon.bad_days.append(refusal(500, {}))
    request = BatchGetQuotesRequest(symbols=[symbol, "NOPE"], provider="polygon")
    batch = await client.market.BatchGetQuotes(request)
    reasons = {one.symbol: read(one.status).reason for one in batch.failures}
    assert reasons == {symbol: "MARKET_DATA_UNAVAILABLE", "NOPE": "INSTRUMENT_NOT_FOUND"}
    assert (await quote(client, SIMULATED)).provider == "simulated"


# -- limits and keys ---------------------------------------------------------------------------------------------


async def test_a_rate_limit_is_told_with_the_vendors_own_seconds(bad_day: BadDay) -> None:
    client, polygon, alpaca, yahoo = bad_day.desk.client, bad_day.polygon, bad_day.alpaca, bad_day.yahoo
    alpaca.assets = [asset("AAPL")]
    await client.market.GetInstrument(GetInstrumentRequest(symbol="AAPL", provider="alpaca"))
    alpaca.answers.append(status(429, "too many requests.", {"Retry-After": "7"}))
    assert await retry_seconds(bars(client, "AAPL", provider="alpaca")) == 7

    symbol = _list(polygon, "LIMIT")
    await client.market.GetInstrument(GetInstrumentRequest(symbol=symbol, provider="polygon"))
    polygon.bad_days.append(refusal(429, {"status": "ERROR"}, Retry_After="1"))
    began, asked = time.monotonic(), len(polygon.requests)
    assert await retry_seconds(bars(client, symbol, provider="polygon")) == 1
    while time.monotonic() < began + 0.5:
        assert 0 < await retry_seconds(bars(client, symbol, provider="polygon")) <= 1
    assert len(polygon.requests) == asked + 1, "it was asked before its time"

    yahoo.list(apple())
    await client.market.GetInstrument(GetInstrumentRequest(symbol="AAPL", provider="yfinance"))
    yahoo.moods += [too_many(Retry_After="9")] * 2  # the SDK asks once more, with another cookie
    assert await retry_seconds(bars(client, "AAPL", provider="yfinance")) == 9


async def test_a_key_that_the_vendor_refuses_is_for_the_operator_to_set(tmp_path: Path) -> None:
    async with polygon_vendor() as polygon, AlpacaServer().running() as alpaca:
        wrong = {"polygon_api_key": _WRONG, "alpaca_secret_key": _WRONG}
        async with serving(Site(tmp_path), **polygon_settings(polygon) | alpaca_settings(alpaca) | wrong) as desk:
            for provider, remedy in _REMEDIES.items():
                failed = await refused(quote(desk.client, "AAPL", provider))
                assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_NOT_CONFIGURED")
                assert failed.message.endswith(f"set {remedy}")
                assert failed.metadata["provider"] == provider
            assert _WRONG not in desk.server.log


# -- rows that are wrong -----------------------------------------------------------------------------------------


async def test_bars_that_are_no_numbers_are_left_out_and_the_gap_says_why(bad_day: BadDay) -> None:
    symbol = _list(bad_day.polygon, "NAN")
    broken = [row(OPEN + n * MINUTE, 100 + n) for n in range(_BARS)]
    broken[5]["c"] = float("nan")
    broken[6]["h"] = float("inf")
    broken[7]["l"] = 1_000  # above its high
    broken[8]["o"] = "dear"
    del broken[20]
    bad_day.polygon.aggregates[symbol, 1, "minute"] = broken

    listed = await bars(bad_day.desk.client, symbol, end=OPEN + _BARS * MINUTE, provider="polygon")

    assert opens(listed) == [OPEN + n * MINUTE for n in range(_BARS) if n not in (5, 6, 7, 8, 20)]
    assert [(utc(gap.start_time), utc(gap.end_time), gap.reason) for gap in listed.gaps] == [
        (OPEN + 5 * MINUTE, OPEN + 9 * MINUTE, BAR_GAP_REASON_INVALID_DATA),
        (OPEN + 20 * MINUTE, OPEN + 21 * MINUTE, BAR_GAP_REASON_NO_TRADES),
    ]


async def test_what_was_wrong_is_not_kept_and_comes_when_the_vendor_has_put_it_right(bad_day: BadDay) -> None:
    client, polygon = bad_day.desk.client, bad_day.polygon
    symbol = _list(polygon, "MENDED")
    right = polygon.aggregates[symbol, 1, "minute"]
    polygon.aggregates[symbol, 1, "minute"] = [one | {"c": None} if n == 3 else one for n, one in enumerate(right)]
    assert len((await bars(client, symbol, end=OPEN + _BARS * MINUTE, provider="polygon")).bars) == _BARS - 1

    polygon.aggregates[symbol, 1, "minute"] = right
    listed = await bars(client, symbol, end=OPEN + _BARS * MINUTE, provider="polygon")
    assert opens(listed) == [OPEN + n * MINUTE for n in range(_BARS)]
    assert not listed.gaps


async def test_rows_out_of_order_and_doubled_are_put_right(bad_day: BadDay) -> None:
    symbol = _list(bad_day.polygon, "MIXED")
    straight = bad_day.polygon.aggregates[symbol, 1, "minute"]
    bad_day.polygon.aggregates[symbol, 1, "minute"] = [*straight[15:], *straight[:20], *straight[3:6]]

    listed = await bars(bad_day.desk.client, symbol, end=OPEN + _BARS * MINUTE, provider="polygon")

    assert opens(listed) == [OPEN + n * MINUTE for n in range(_BARS)]
    assert [prices(bar) for bar in listed.bars] == [
        (one["o"], one["h"], one["l"], one["c"], one["v"]) for one in straight
    ]


async def test_an_answer_of_nothing_but_wrong_types_is_no_data(bad_day: BadDay) -> None:
    symbol = _list(bad_day.polygon, "TYPES")
    await bad_day.desk.client.market.GetInstrument(GetInstrumentRequest(symbol=symbol, provider="polygon"))
    assert json.loads(_ODD_ROWS)
    bad_day.polygon.bad_days.append(text(_ODD_ROWS))
    failed = await refused(bars(bad_day.desk.client, symbol, provider="polygon"))
    assert failed.reason == "MARKET_DATA_UNAVAILABLE"


async def test_a_vendor_whose_clock_is_ahead_makes_no_quote_younger_than_it_is(bad_day: BadDay) -> None:
    symbol = _list(bad_day.polygon, "AHEAD")
    now = await bad_day.desk.now()
    bad_day.polygon.snapshots[symbol] = snapshot(symbol, 10, 11, now + 45 * MINUTE)
    found = await quote(bad_day.desk.client, symbol, "polygon")
    assert now <= utc(found.quote_time) <= utc(found.received_time) < now + MINUTE


async def test_all_bad_days_together_left_no_defect_in_the_log(bad_day: BadDay) -> None:
    assert "internal error" not in bad_day.desk.server.log
    assert "Traceback" not in bad_day.desk.server.log, bad_day.desk.server.last_words()
