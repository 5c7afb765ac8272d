"""On Yahoo's bad days a caller gets data, or an error that says what happened and whether to try again."""

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from adapters.market_data.yfinance_settings import NAME
from domain.errors import PreconditionFailed, Throttled, Unavailable
from domain.market_data.bar import BarInterval
from tests.support.vendors.yahoo import (
    Mood,
    chart_says,
    half_a_page,
    hangs_up,
    mute,
    says,
    too_many,
)
from tests.support.vendors.yahoo_chart import Json
from tests.support.vendors.yahoo_market import INPLACE, NOW, YahooMarket, utc, yahoo_market

pytestmark = pytest.mark.filterwarnings(INPLACE)

START = utc(2024, 6, 3)


async def _days(market: YahooMarket) -> int:
    return len((await market.bars("AAPL", BarInterval.DAY_1, START, utc(2024, 6, 8))).bars)


async def _prepared(market: YahooMarket) -> None:
    """The instrument is known, so that the next chart is of bars."""
    await market.provider.instrument("AAPL")


# -- too many requests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mood", "seconds"),
    [
        (too_many(), 60.0),
        (too_many(Retry_After="7"), 7.0),
        (too_many(Retry_After=format_datetime(NOW.replace(microsecond=0) + timedelta(seconds=90), usegmt=True)), 90.0),
        (too_many(Retry_After="soon"), 60.0),
        (says(200, "Too Many Requests\r\n"), 60.0),
    ],
)
async def test_too_many_requests_say_how_long_to_wait(tmp_path: Path, mood: Mood, seconds: float) -> None:
    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        market.yahoo.moods = [mood] * 4
        with pytest.raises(Throttled) as refused:
            await _days(market)
        assert refused.value.reason == "RATE_LIMITED"
        assert refused.value.retry_after_seconds == seconds
        market.yahoo.moods = []
        asked = len(market.yahoo.requests)
        with pytest.raises(Throttled):
            await _days(market)
        assert len(market.yahoo.requests) == asked, "Yahoo is left alone for that long"
        market.clock.advance(seconds)
        assert await _days(market) == 5


async def test_a_limit_that_is_over_before_the_second_try_is_not_noticed(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        market.yahoo.moods = [too_many()]
        assert await _days(market) == 5


async def test_a_limit_on_the_look_up_of_an_instrument_is_no_unknown_symbol(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        market.yahoo.moods = [too_many(Retry_After="3")] * 4
        with pytest.raises(Throttled):
            await market.provider.instrument("AAPL")
        market.clock.advance(3)
        market.yahoo.moods = []
        assert await market.provider.instrument("AAPL") is not None


async def test_no_more_requests_are_sent_than_are_set(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path, requests_per_minute=4) as market:
        await _prepared(market)
        asked = len(market.yahoo.requests)
        with pytest.raises(Throttled) as refused:
            await _days(market)
        assert 0 < refused.value.retry_after_seconds <= 60
        assert len(market.yahoo.requests) == asked


# -- emptiness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mood",
    [chart_says([]), chart_says(None), says(200, "{}"), says(200, '{"chart":null}'), says(200, "[]"), says(200, "")],
)
async def test_an_empty_answer_is_not_taken_for_no_bars(tmp_path: Path, mood: Mood) -> None:
    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        market.yahoo.moods = [mood] * 4
        with pytest.raises(Unavailable) as refused:
            await _days(market)
        assert refused.value.reason == "MARKET_DATA_UNAVAILABLE"
        market.yahoo.moods = []
        assert await _days(market) == 5


def _without_rows(payload: Json) -> None:
    result = payload["chart"]["result"][0]
    result.pop("timestamp", None)
    result["indicators"] = {"quote": [{}]}


async def test_no_bars_of_a_week_in_which_there_was_trading_are_not_believed(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        market.yahoo.edit = _without_rows
        with pytest.raises(Unavailable, match="there was trading"):
            await market.bars("AAPL", BarInterval.DAY_1, START, utc(2024, 6, 11))


async def test_no_bars_of_a_weekend_are_believed(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        found = await market.bars("AAPL", BarInterval.MINUTE_5, utc(2024, 6, 8), utc(2024, 6, 10))
    assert (list(found.bars), list(found.invalid)) == ([], [])


async def test_no_bars_since_the_last_trade_are_believed(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        listing = market.yahoo.listings["AAPL"]
        listing.last_trade = utc(2024, 5, 31, 20)
        listing.candles["1d"] = [row for row in listing.candles["1d"] if row.at < utc(2024, 6, 1)]
        assert not (await market.bars("AAPL", BarInterval.DAY_1, START)).bars


async def test_yahoo_may_say_in_words_that_there_is_nothing(tmp_path: Path) -> None:
    error = (
        '{"chart":{"result":null,"error":{"code":"Bad Request","description":"Data doesn\'t exist for startDate = 1"}}}'
    )
    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        market.yahoo.moods = [says(400, error)] * 2
        assert await _days(market) == 0


async def test_a_history_that_has_become_shorter_is_said_to_be(tmp_path: Path) -> None:
    error = '{"chart":{"result":null,"error":{"code":"Unprocessable Entity","description":"The requested range must be within the last 7 days."}}}'  # noqa: E501
    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        market.yahoo.moods = [says(422, error)] * 2
        with pytest.raises(PreconditionFailed) as refused:
            await market.bars("AAPL", BarInterval.MINUTE_5, START)
        assert refused.value.reason == "PROVIDER_NOT_CAPABLE"


# -- nonsense --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mood",
    [
        says(500, "Internal Server Error"),
        says(502, "<html>Bad Gateway</html>"),
        says(503, '{"chart":{"result":null,"error":{"code":"x","description":"No data found"}}}'),
        says(404, "<html>no such page</html>"),
        says(401, '{"finance":{"result":null,"error":{"code":"Unauthorized","description":"Invalid Crumb"}}}'),
        says(403, "Forbidden"),
        says(200, "<html>Will be right back</html>"),
        says(200, "{not json"),
        half_a_page,
        hangs_up,
    ],
)
async def test_nonsense_is_unavailable_and_the_next_answer_is_good(tmp_path: Path, mood: Mood) -> None:
    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        market.yahoo.moods = [mood] * 4
        with pytest.raises(Unavailable) as refused:
            await _days(market)
        assert refused.value.reason == "MARKET_DATA_UNAVAILABLE"
        assert refused.value.message.startswith(f"{NAME}: ")
        market.yahoo.moods = []
        assert await _days(market) == 5


def _result(payload: Json) -> Json:
    result: Json = payload["chart"]["result"][0]
    return result


def _shorter_column(payload: Json) -> None:
    _result(payload)["indicators"]["quote"][0]["close"].pop()


def _words(payload: Json) -> None:
    _result(payload)["indicators"]["quote"][0]["close"] = ["many"] * 5


def _no_times(payload: Json) -> None:
    del _result(payload)["timestamp"]


def _times_of_words(payload: Json) -> None:
    _result(payload)["timestamp"] = ["monday"] * 5


def _no_meta(payload: Json) -> None:
    _result(payload)["meta"] = {}


def _other_interval(payload: Json) -> None:
    _result(payload)["meta"]["dataGranularity"] = "1wk"


def _no_such_zone(payload: Json) -> None:
    _result(payload)["meta"]["exchangeTimezoneName"] = "Moon/Tycho"


@pytest.mark.parametrize(
    "edit", [_shorter_column, _words, _no_times, _times_of_words, _no_meta, _other_interval, _no_such_zone]
)
async def test_an_answer_of_the_wrong_shape_is_unavailable(tmp_path: Path, edit: Callable[[Json], None]) -> None:
    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        market.yahoo.edit = edit
        with pytest.raises(Unavailable):
            await _days(market)
        market.yahoo.edit = None
        assert await _days(market) == 5


async def test_a_split_of_no_ratio_is_unavailable(tmp_path: Path) -> None:
    def odd(payload: Json) -> None:
        for split in _result(payload).get("events", {}).get("splits", {}).values():
            split["denominator"] = 0.0

    async with yahoo_market(tmp_path) as market:
        market.yahoo.edit = odd
        with pytest.raises(Unavailable):
            await market.bars("AAPL", BarInterval.DAY_1, utc(2024, 2, 1), utc(2024, 3, 8))


async def test_splits_that_cannot_be_had_are_not_taken_for_none(tmp_path: Path) -> None:
    async def good(_: web.Request) -> None:
        return None

    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        market.yahoo.moods = [good, says(500, "oops"), says(500, "oops")]
        with pytest.raises(Unavailable):
            await _days(market)


# -- silence ---------------------------------------------------------------------------------------------------------


async def test_a_mute_server_is_unavailable_in_time(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path, timeout_seconds=0.4, request_timeout_seconds=0.3) as market:
        await _prepared(market)
        market.yahoo.moods = [mute] * 2
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable):
            await _days(market)
        assert asyncio.get_running_loop().time() - began < 1.5
        market.yahoo.moods = []
        assert await _days(market) == 5


async def test_a_caller_who_has_gone_does_not_keep_the_thread(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path, request_timeout_seconds=0.5) as market:
        await _prepared(market)
        market.yahoo.moods = [mute]
        gone = asyncio.create_task(_days(market))
        await asyncio.sleep(0.1)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert await _days(market) == 5


async def test_callers_at_the_same_time_are_all_answered(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        assert await asyncio.gather(*(_days(market) for _ in range(5))) == [5] * 5


async def test_nobody_listening_is_unavailable(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        await market.yahoo.vanish()
        with pytest.raises(Unavailable):
            await _days(market)


async def test_a_closed_provider_is_unavailable_and_leaves_no_thread(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        assert any(thread.name.startswith(NAME) for thread in threading.enumerate())
        await market.provider.close()
        with pytest.raises(Unavailable):
            await _days(market)
    await asyncio.sleep(0.05)
    assert not any(thread.name.startswith(NAME) for thread in threading.enumerate())


# -- cookie, crumb, consent ------------------------------------------------------------------------------------------


async def test_a_crumb_that_has_become_stale_is_renewed(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        market.yahoo.crumb = "crumb/2"
        assert await _days(market) == 5
        assert market.yahoo.queries[-1]["crumb"] == "crumb/2"


async def test_a_cookie_that_has_become_stale_is_renewed(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        market.yahoo.crumb, market.yahoo.cookie = "crumb/2", "A3=d=two"
        assert await _days(market) == 5


@pytest.mark.parametrize(
    "mood", [too_many(), says(200, "Too Many Requests\r\n"), says(500, "<html>oops</html>"), hangs_up]
)
async def test_charts_are_had_without_a_crumb_too(tmp_path: Path, mood: Mood) -> None:
    async with yahoo_market(tmp_path) as market:
        market.yahoo.crumb_mood = mood
        assert await _days(market) == 5


async def test_a_mute_cookie_page_costs_time_and_no_bars(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path, request_timeout_seconds=0.2) as market:
        market.yahoo.cookie_page_is_mute = True
        assert await _days(market) == 5


async def test_the_wall_of_consent_is_passed(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        market.yahoo.consent_wall = True
        assert await _days(market) == 5
        assert market.yahoo.consents == 1


# -- what there is not -----------------------------------------------------------------------------------------------


async def test_what_yahoo_does_not_have_is_refused_and_not_made_up(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        with pytest.raises(PreconditionFailed) as refused:
            await market.provider.latest_quotes(["AAPL"])
        assert refused.value.reason == "PROVIDER_NOT_CAPABLE"
        with pytest.raises(PreconditionFailed):
            await market.provider.order_book("AAPL", 5)
        with pytest.raises(PreconditionFailed):
            await anext(market.provider.trades(["AAPL"]))


async def test_nothing_is_pushed(tmp_path: Path) -> None:
    async with yahoo_market(tmp_path) as market:
        with pytest.raises(PreconditionFailed):
            await anext(market.provider.live_bars(["AAPL"], BarInterval.MINUTE_1))
        with pytest.raises(PreconditionFailed):
            await anext(market.provider.quotes(["AAPL"]))
        with pytest.raises(PreconditionFailed):
            await anext(market.provider.order_books("AAPL", 5))


async def test_the_caches_of_yfinance_are_not_in_the_users_home(tmp_path: Path) -> None:
    import yfinance.cache

    async with yahoo_market(tmp_path) as market:
        await _prepared(market)
        for manager in (yfinance.cache._TzDBManager, yfinance.cache._CookieDBManager):
            folder = Path(manager.get_location())
            assert folder.name.startswith("quantmesh-yfinance-")
            assert not folder.is_relative_to(Path.home() / ".cache")
