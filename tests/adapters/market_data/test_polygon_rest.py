"""Polygon's bad days, as its SDK meets them: data, or what happened. Never half of it, never a hidden sleep."""

import json
import time
from datetime import timedelta

import pytest

from adapters.market_data.polygon_adapter import PolygonMarketData
from application.ports.market_data import BarRequest, FetchedBars
from domain.errors import DomainError, PreconditionFailed, Throttled, Unavailable
from domain.market_data.bar import BarInterval
from tests.support.vendors.polygon import Answer, half_a_page, never, refusal, text
from tests.support.vendors.polygon_market import APPLE, NOW, OPEN, polygon_market, rows

MINUTE = timedelta(minutes=1)
NOT_IN_THE_PLAN = {"status": "NOT_AUTHORIZED", "message": "You are not entitled to this data. Please upgrade your plan"}


async def minutes(provider: PolygonMarketData, limit: int = 1_000) -> FetchedBars:
    return await provider.bars(BarRequest("AAPL", BarInterval.MINUTE_1, OPEN, NOW, limit))


async def error_of(answer: Answer, **settings: object) -> DomainError:
    async with polygon_market(**settings) as (polygon, provider, _):
        polygon.aggregates["AAPL", 1, "minute"] = rows(OPEN, MINUTE, 5)
        polygon.bad_days.append(answer)
        began = time.monotonic()
        with pytest.raises(DomainError) as raised:
            await minutes(provider)
        assert time.monotonic() - began < 4
        assert len(polygon.requests) == 1
        return raised.value


async def test_too_many_requests_with_a_delay_are_told_the_delay_and_nothing_is_asked_before() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.bad_days.append(refusal(429, {"status": "ERROR", "error": "exceeded"}, Retry_After="7"))
        with pytest.raises(Throttled) as first:
            await minutes(provider)
        with pytest.raises(Throttled) as second:
            await minutes(provider)

        assert first.value.retry_after_seconds == 7
        assert 5 < second.value.retry_after_seconds <= 7
        assert len(polygon.requests) == 1


async def test_too_many_requests_without_a_delay_are_told_a_delay_of_ours() -> None:
    error = await error_of(refusal(429, {"status": "ERROR", "error": "exceeded"}))

    assert isinstance(error, Throttled)
    assert error.retry_after_seconds == 5


@pytest.mark.parametrize("header", ["soon", "99999999999999"])
async def test_an_absurd_delay_does_not_stop_the_provider_for_good(header: str) -> None:
    error = await error_of(refusal(429, {}, Retry_After=header))

    assert isinstance(error, Throttled)
    assert error.retry_after_seconds <= 3_600


async def test_a_free_plan_is_refused_beforehand_not_by_the_vendor() -> None:
    async with polygon_market(requests_per_minute=3) as (polygon, provider, _):
        for _ in range(3):
            await minutes(provider)
        with pytest.raises(Throttled) as refused:
            await minutes(provider)

        assert 0 < refused.value.retry_after_seconds <= 60
        assert len(polygon.requests) == 3


async def test_each_page_counts_as_a_request() -> None:
    async with polygon_market(requests_per_minute=3) as (polygon, provider, _):
        polygon.aggregates["AAPL", 1, "minute"] = rows(OPEN, MINUTE, 50)
        polygon.page_size = 10
        with pytest.raises(Throttled):
            await minutes(provider)

        assert len(polygon.requests) == 3


async def test_a_wrong_key_is_told_the_line_to_set() -> None:
    async with polygon_market(api_key="wrong") as (_, provider, _clock):
        with pytest.raises(PreconditionFailed, match="QUANTMESH_POLYGON_API_KEY") as refused:
            await minutes(provider)

        assert refused.value.reason == "PROVIDER_NOT_CONFIGURED"


@pytest.mark.parametrize("status", [401, 403, 200])
async def test_what_the_plan_does_not_include_is_not_a_matter_of_the_key(status: int) -> None:
    error = await error_of(refusal(status, NOT_IN_THE_PLAN))

    assert isinstance(error, PreconditionFailed)
    assert error.reason == "PROVIDER_NOT_CAPABLE"


async def test_a_forbidden_key_is_a_matter_of_the_key() -> None:
    error = await error_of(refusal(403, {"status": "ERROR", "error": "Forbidden"}))

    assert error.reason == "PROVIDER_NOT_CONFIGURED"


@pytest.mark.parametrize(
    "answer",
    [
        refusal(500, {"status": "ERROR"}),
        refusal(502, "a proxy's page"),
        refusal(400, {"status": "ERROR", "error": "bad"}),
        refusal(200, {"status": "ERROR", "error": "bad"}),
        refusal(302, {}, Location="http://127.0.0.1:1/elsewhere"),
        text("<html>maintenance</html>"),
        text(""),
        text("[]"),
        text('{"status": "OK", "results": null}'),
        text('{"status": "OK", "results": 7}'),
        text('{"status": "OK", "results": [[1, 2]]}'),
        text('{"status": ["OK"], "results": []}'),
        text('{"status": "OK", "results": [{"t":'),
        text('{"status": "OK", "next_url": "http://x/v2/y"}'),
        half_a_page('{"status": "OK", "results": ['),
    ],
    ids=range(15),
)
async def test_nonsense_is_unavailable_and_asked_for_once(answer: Answer) -> None:
    error = await error_of(answer)

    assert isinstance(error, Unavailable)
    assert error.reason == "MARKET_DATA_UNAVAILABLE"


async def test_silence_ends_with_the_time_limit() -> None:
    error = await error_of(never, timeout_seconds=0.3)

    assert isinstance(error, Unavailable)
    assert "in time" in error.message


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    async with polygon_market(url="http://127.0.0.1:1") as (_, provider, _clock):
        with pytest.raises(Unavailable):
            await minutes(provider)


@pytest.mark.parametrize("answer", [refusal(500, {}), text("no JSON"), half_a_page("{")], ids=["500", "text", "half"])
async def test_when_a_later_page_fails_there_are_no_bars_at_all(answer: Answer) -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.aggregates["AAPL", 1, "minute"] = rows(OPEN, MINUTE, 30)
        polygon.page_size = 10
        polygon.bad_days.extend([None, answer])
        with pytest.raises(Unavailable):
            await minutes(provider)
        found = await minutes(provider)

        assert len(found.bars) == 30


async def test_pages_without_end_are_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.market_data.polygon_rest._MOST_PAGES", 5)
    async with polygon_market() as (polygon, provider, _):
        page = {"status": "OK", "results": rows(OPEN, MINUTE, 1), "next_url": "http://x/v2/again"}
        polygon.bad_days.extend(text(json.dumps(page)) for _ in range(10))
        with pytest.raises(Unavailable, match="pages"):
            await minutes(provider)


async def test_a_closed_provider_says_so() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.tickers = [APPLE]
        await provider.close()
        with pytest.raises(Unavailable):
            await minutes(provider)
