"""The board follows symbols live, and knows the prices of a window from all that it has seen."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.market_data.newest_quotes import NewestQuotes
from application.market_data.quote_board import QuoteBoard
from application.ports.quote_cache import ReceivedQuote
from domain.market_data.quote import Quote, TopOfBook
from tests.support.market import FRIDAY_NOON, settle
from tests.support.provider import STREAMED, SpokenMarketData
from tests.support.quote_floor import SETTINGS, Floor, floors, providers

D = Decimal


@pytest.fixture
async def build() -> AsyncIterator[Callable[..., Floor]]:
    async with floors() as build:
        yield build


@pytest.fixture
def streaming(build: Callable[..., Floor]) -> Floor:
    """A provider that also streams its quotes."""
    return build(streams=True)


# -- following a symbol live -------------------------------------------------------------------------


async def test_after_the_first_decision_live_quotes_are_followed_and_nothing_is_asked_for(streaming: Floor) -> None:
    floor = streaming
    floor.live.quote("AAPL", "187")
    await floor.board.ensure(["AAPL"])
    await settle()
    for bid in range(188, 198):
        await floor.pass_time(5)
        quote = floor.live.push("AAPL", str(bid))
        await settle()
        assert floor.board.latest("AAPL") == quote
        assert not floor.board.wants("AAPL")
    assert floor.live.asked == [["AAPL"]]
    assert floor.live.streams_opened == 1


async def test_a_stream_that_falls_silent_is_not_trusted_for_long(streaming: Floor) -> None:
    floor = streaming
    await floor.board.ensure(["AAPL"])
    await settle()
    floor.live.push("AAPL", "187")
    await settle()
    await floor.pass_time(SETTINGS.quiet_seconds - 0.001)
    assert not floor.board.wants("AAPL")
    await floor.pass_time(0.001)
    assert floor.board.wants("AAPL")


async def test_a_stream_that_breaks_is_opened_again_and_meanwhile_quotes_are_asked_for(
    streaming: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    floor = streaming
    caplog.set_level(logging.INFO)
    await floor.board.ensure(["AAPL", "MSFT"])
    await settle()
    for symbol in ("AAPL", "MSFT"):
        floor.live.push(symbol, "187")
    await settle()
    for symbol in ("AAPL", "MSFT"):
        floor.live.cut(symbol)
    await settle()
    await floor.pass_time(1)
    assert floor.board.wants("AAPL")
    assert floor.live.open_streams == {"AAPL": 1, "MSFT": 1}
    for symbol in ("AAPL", "MSFT"):
        floor.live.push(symbol, "188")
    await settle()
    assert not floor.board.wants("AAPL")
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "INFO"], "once for all symbols of the provider"


async def test_a_symbol_is_followed_until_no_decision_was_about_it_for_a_while(streaming: Floor) -> None:
    floor = streaming
    await floor.board.ensure(["AAPL"])
    for _ in range(10):
        floor.live.push("AAPL", "187")
        await floor.pass_time(200)
        if floor.board.wants("AAPL"):
            await floor.board.ensure(["AAPL"])
    assert floor.live.streams_opened == 1
    await floor.pass_time(SETTINGS.watch_seconds)
    assert floor.live.open_streams == {"AAPL": 0}


async def test_no_more_symbols_are_followed_than_the_provider_allows(build: Callable[..., Floor]) -> None:
    floor = build()
    live = SpokenMarketData(floor.clock, "few", replace(STREAMED, max_stream_symbols=2))
    live.list("A", "B", "C")
    board = QuoteBoard(providers(live), floor.cache, floor.clock, SETTINGS)
    await board.ensure(["A", "B", "C"])
    await settle()
    assert sum(live.open_streams.values()) == 2
    await board.close()
    assert sum(live.open_streams.values()) == 0


async def test_closing_ends_everything_that_was_begun(streaming: Floor) -> None:
    floor = streaming
    await floor.board.ensure(["AAPL"])
    await settle()
    floor.live.hangs = True
    await floor.pass_time(60)
    waiting = asyncio.create_task(floor.board.ensure(["AAPL", "MSFT"]))
    await settle()
    await floor.board.close()
    await waiting
    await settle()
    ours = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert ours == []


# -- prices of a window ------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(1, 50)), min_size=1, max_size=40), st.integers(1, 3_600))
def test_the_range_of_any_window_is_that_of_the_quotes_in_it(steps: list[tuple[int, int]], seconds: int) -> None:
    newest, now, seen = NewestQuotes("live", SETTINGS), FRIDAY_NOON, list[tuple[datetime, Decimal]]()
    for later, price in steps:
        now += timedelta(seconds=later)
        newest.take(ReceivedQuote(Quote("AAPL", D(price), D(1), D(price + 1), D(1), now), now))
        seen.append((now, D(price) + D("0.5")))
    inside = [mid for at, mid in seen if at >= now - timedelta(seconds=seconds)]
    known = newest.get("AAPL")
    assert known is not None
    assert known.window.range(now, D(seconds)) == (min(inside), max(inside))


async def test_a_window_has_what_was_fetched_and_what_was_streamed_but_nothing_one_sided(streaming: Floor) -> None:
    floor = streaming
    floor.live.quote("AAPL", "100")
    await floor.board.ensure(["AAPL"])
    await settle()
    for bid in ("90", "110"):
        await floor.pass_time(10)
        floor.live.push("AAPL", bid)
        await settle()
    one_sided = TopOfBook("AAPL", D(500), D(1), None, None, floor.clock.now())
    floor.board.offer("live", one_sided)
    assert floor.board.price_range("AAPL", D(3_600)) == (D(90), D(110))
    assert floor.board.price_range("AAPL", D(9)) == (D(110), D(110))
    await floor.pass_time(10)
    assert floor.board.price_range("AAPL", D(9)) is None
    assert floor.board.price_range("NEVER", D(9)) is None


def test_the_newest_quotes_are_bounded() -> None:
    newest = NewestQuotes("live", replace(SETTINGS, most_symbols=3))
    for number in range(10):
        quote = Quote(f"S{number}", D(1), D(1), D(1), D(1), FRIDAY_NOON)
        newest.take(ReceivedQuote(quote, FRIDAY_NOON))
    assert [number for number in range(10) if newest.get(f"S{number}")] == [7, 8, 9]
