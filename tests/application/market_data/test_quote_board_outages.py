"""What becomes of decisions and queries when the board's provider fails, hangs or cannot be asked."""

import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from adapters.cache.memory_quote_cache import MemoryQuoteCache
from adapters.clock import ManualClock
from application.market_data.providers import Lack
from application.market_data.quote_board import QuoteBoard
from application.ports.quote_cache import ReceivedQuote
from domain.errors import PreconditionFailed, Throttled, Unavailable
from tests.support.market import FRIDAY_NOON
from tests.support.provider import ASKED, SpokenMarketData
from tests.support.quote_floor import SETTINGS, Floor, floors, providers


@pytest.fixture
async def build() -> AsyncIterator[Callable[..., Floor]]:
    async with floors() as build:
        yield build


@pytest.fixture
def floor(build: Callable[..., Floor]) -> Floor:
    """A provider that is asked for its quotes."""
    return build()


# -- decisions ---------------------------------------------------------------------------------------


async def test_a_provider_that_hangs_delays_decisions_once_and_is_asked_again_apart_from_them(floor: Floor) -> None:
    old = floor.live.quote("AAPL", "187")
    await floor.board.ensure(["AAPL"])
    await floor.pass_time(1)
    floor.live.hangs = True
    began = time.monotonic()
    await floor.board.ensure(["AAPL", "MSFT"])
    assert 0.08 < time.monotonic() - began < 0.5
    began = time.monotonic()
    for _ in range(100):
        assert not floor.board.wants("AAPL")
        await floor.board.ensure(["AAPL", "MSFT", "NEW"])
        floor.clock.advance(0.01)
    assert time.monotonic() - began < 0.08
    assert floor.board.latest("AAPL") == old
    floor.live.hangs = False
    fresh = floor.live.quote("AAPL", "188")
    await floor.pass_time(SETTINGS.retry_seconds)
    assert floor.board.latest("AAPL") == fresh
    assert floor.board.wants("MSFT")


async def test_a_provider_that_stays_down_is_asked_less_and_less_often(floor: Floor) -> None:
    await floor.board.ensure(["AAPL"])
    await floor.pass_time(1)
    await floor.down()
    floor.live.asked.clear()
    began, times = floor.clock.now(), []
    for _ in range(200):
        before = len(floor.live.asked)
        await floor.pass_time(1)
        if len(floor.live.asked) > before:
            times.append((floor.clock.now() - began).total_seconds())
    assert times == [5, 15, 35, 75, 135, 195]


async def test_a_rate_limit_is_waited_for_as_long_as_it_says(floor: Floor) -> None:
    await floor.board.ensure(["AAPL"])
    await floor.pass_time(1)
    floor.live.error = Throttled("slower", 30)
    await floor.board.ensure(["AAPL"])
    floor.live.error = None
    await floor.pass_time(29)
    assert not floor.board.wants("AAPL")
    await floor.pass_time(1)
    await floor.pass_time(1)
    assert floor.board.wants("AAPL")


async def test_an_outage_is_told_once_and_so_is_its_end(floor: Floor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await floor.board.ensure(["AAPL"])
    await floor.pass_time(1)
    await floor.down()
    for _ in range(5):
        await floor.pass_time(60)
        await floor.board.ensure(["AAPL"])
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "it is down" in caplog.text
    floor.live.error = None
    await floor.pass_time(60)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


async def test_a_fault_of_an_adapter_is_an_outage_and_not_the_callers(
    floor: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    floor.live.error = ZeroDivisionError("a bug")
    await floor.board.ensure(["AAPL"])
    assert not floor.board.wants("AAPL")
    outcome = await floor.find("AAPL")
    assert isinstance(outcome, Unavailable)
    assert "a bug" not in outcome.message
    assert "a bug" in caplog.text


async def test_one_symbol_that_fails_does_not_stop_the_others(floor: Floor) -> None:
    quote = floor.live.quote("AAPL", "187")
    floor.live.failing.add("ODD")
    await floor.board.ensure(["ODD", "AAPL"])
    assert floor.board.latest("AAPL") == quote
    await floor.pass_time(1)
    assert floor.board.wants("AAPL")
    assert not floor.board.wants("ODD")


async def test_one_symbol_that_nobody_can_answer_for_keeps_no_outage_up(floor: Floor) -> None:
    await floor.board.ensure(["AAPL"])
    floor.live.hanging.add("ODD")
    await floor.pass_time(1)
    await floor.board.ensure(["ODD", "AAPL"])
    assert not floor.board.wants("AAPL")
    quote = floor.live.quote("AAPL", "187")
    await floor.pass_time(SETTINGS.retry_seconds)
    assert floor.board.latest("AAPL") == quote


# -- a provider that cannot be asked -----------------------------------------------------------------


async def test_a_provider_that_is_not_configured_is_tried_when_it_may_be(floor: Floor) -> None:
    floor.live.lack = Lack("no key is set", "QUANTMESH_LIVE_KEY=...")
    await floor.board.ensure(["AAPL"])
    assert floor.board.latest("AAPL") is None
    assert floor.live.opened == 0
    floor.live.lack = None
    await floor.board.start()
    assert floor.live.opened == 0, "it is not local"


async def test_a_default_that_lacks_something_does_not_stop_the_start(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(FRIDAY_NOON)
    live = SpokenMarketData(clock, capabilities=replace(ASKED, local=True))
    live.lack = Lack("the folder does not exist", "QUANTMESH_LIVE_FOLDER=...")
    board = QuoteBoard(providers(live), MemoryQuoteCache(clock), clock, SETTINGS)
    await board.start()
    assert "QUANTMESH_LIVE_FOLDER" in caplog.text


async def test_a_provider_that_only_has_bars_is_never_asked_for_quotes(build: Callable[..., Floor]) -> None:
    floor = build()
    live = SpokenMarketData(floor.clock, "bars", replace(ASKED, requests=frozenset()))
    live.list("AAPL")
    board = QuoteBoard(providers(live), floor.cache, floor.clock, SETTINGS)
    await board.ensure(["AAPL"])
    await floor.pass_time(3_600)
    assert not board.wants("AAPL")
    assert board.instrument("AAPL") is not None
    assert live.asked == []


# -- queries -----------------------------------------------------------------------------------------


async def test_any_quote_is_better_than_a_failure_only_for_who_takes_any(floor: Floor) -> None:
    quote = floor.live.quote("AAPL", "187")
    await floor.find("AAPL")
    await floor.pass_time(10)
    floor.live.error = PreconditionFailed("the plan has none", [], reason="PROVIDER_NOT_CAPABLE")
    assert await floor.find("AAPL") == ReceivedQuote(quote, FRIDAY_NOON)
    assert await floor.find("AAPL", floor.clock.now()) is floor.live.error
    assert await floor.find("MSFT") is floor.live.error


async def test_a_query_is_tried_also_while_decisions_do_not_wait_and_ends_the_outage(floor: Floor) -> None:
    await floor.board.ensure(["AAPL"])
    await floor.pass_time(1)
    await floor.down()
    floor.live.error = None
    quote = floor.live.quote("AAPL", "187")
    assert await floor.find("AAPL") == ReceivedQuote(quote, floor.clock.now())
    await floor.pass_time(1)
    assert floor.board.wants("AAPL")


async def test_a_query_of_a_provider_that_hangs_fails_in_time(floor: Floor) -> None:
    floor.live.hangs = True
    outcome = await floor.find("AAPL")
    assert isinstance(outcome, Unavailable)
    assert outcome.reason == "MARKET_DATA_UNAVAILABLE"
    assert "within 0.1 s" in outcome.message
