"""What decisions and queries read of the board, and when a provider is asked for it."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import fields
from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.cache.memory_quote_cache import MemoryQuoteCache
from adapters.clock import ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_settings import CAPABILITIES, SimulationSettings
from application.market_data.providers import Offer, Providers
from application.market_data.quote_board import BoardSettings, QuoteBoard
from application.market_data.source import Source
from application.ports.quote_cache import ReceivedQuote
from domain.errors import Unavailable
from domain.market_data.quote import Quote
from tests.support.market import FRIDAY_NOON, settle
from tests.support.provider import ASKED, SpokenMarketData
from tests.support.quote_floor import SETTINGS, Floor, floors
from tests.support.trading import instrument

D = Decimal


@pytest.fixture
async def build() -> AsyncIterator[Callable[..., Floor]]:
    async with floors() as build:
        yield build


@pytest.fixture
def floor(build: Callable[..., Floor]) -> Floor:
    """A provider that is asked for its quotes."""
    return build()


@pytest.fixture
def streaming(build: Callable[..., Floor]) -> Floor:
    """One that also streams them."""
    return build(streams=True)


# -- a provider that has all in memory ---------------------------------------------------------------


async def simulated_board(
    routes: tuple[tuple[str, str], ...] = (),
) -> tuple[SimulatedMarketData, SpokenMarketData, QuoteBoard]:
    clock = ManualClock(FRIDAY_NOON)
    market = SimulatedMarketData(clock, SimulationSettings())
    live = SpokenMarketData(clock)
    offer = Offer("simulated", "Simulated", CAPABILITIES, lambda: None, lambda: market)
    board = QuoteBoard(Providers([offer, live.offer()], "simulated", routes), MemoryQuoteCache(clock), clock, SETTINGS)
    await board.start()
    return market, live, board


async def test_what_is_in_memory_at_the_provider_is_read_there_from_the_start() -> None:
    market, live, board = await simulated_board()
    assert board.latest("AAPL") == market.in_memory.latest("AAPL") is not None
    assert board.instrument("AAPL") == market.in_memory.instrument("AAPL")
    assert board.price_range("AAPL", D(60)) == market.in_memory.price_range("AAPL", D(60))
    assert not board.wants("AAPL")
    assert not board.wants("NOPE")
    assert live.opened == 0, "the other provider is opened when somebody needs it"


async def test_to_read_it_there_costs_little_more_than_without_the_board() -> None:
    market, _, board = await simulated_board((("*/USDT", "live"), ("*/USDC", "live")))

    def seconds(read: Callable[[str], object]) -> float:
        began = time.perf_counter()
        for _ in range(20_000):
            read("AAPL")
        return (time.perf_counter() - began) / 20_000

    direct, through = (min(seconds(read) for _ in range(5)) for read in (market.in_memory.latest, board.latest))
    assert through - direct < 0.000_001
    assert min(seconds(board.wants) for _ in range(5)) < 0.000_001


async def test_each_symbol_is_read_from_the_provider_that_serves_it() -> None:
    market, live, board = await simulated_board((("BTC/*", "live"),))
    live.list("BTC/USDT")
    quote = live.quote("BTC/USDT", "64000")
    assert board.wants("BTC/USDT")
    await board.ensure(["BTC/USDT", "AAPL"])
    assert board.latest("BTC/USDT") == quote
    assert board.latest("AAPL") == market.in_memory.latest("AAPL")
    await board.close()


# -- a provider that is asked ------------------------------------------------------------------------


async def test_nothing_is_known_before_it_is_asked_for_and_then_instrument_and_quote_are(floor: Floor) -> None:
    quote = floor.live.quote("AAPL", "187", "188")
    assert floor.board.wants("AAPL")
    assert floor.board.instrument("AAPL") is None is floor.board.latest("AAPL")
    await floor.board.ensure(["AAPL"])
    assert floor.board.latest("AAPL") == quote
    assert floor.board.instrument("AAPL") == instrument("AAPL")
    assert not floor.board.wants("AAPL")


async def test_a_quote_is_asked_for_again_when_it_was_not_for_a_while_however_old_it_is_itself(floor: Floor) -> None:
    floor.live.quote("AAPL", "187", age=3_600)
    await floor.board.ensure(["AAPL"])
    floor.clock.advance(0.999)
    assert not floor.board.wants("AAPL")
    await floor.board.ensure(["AAPL"])
    assert floor.live.asked == [["AAPL"]]
    floor.clock.advance(0.001)
    assert floor.board.wants("AAPL")
    await floor.board.ensure(["AAPL"])
    assert floor.live.asked == [["AAPL"], ["AAPL"]]
    assert floor.live.read == ["AAPL"]


async def test_an_instrument_without_a_quote_is_not_asked_for_at_every_decision(floor: Floor) -> None:
    await floor.board.ensure(["AAPL"])
    assert floor.board.latest("AAPL") is None
    assert not floor.board.wants("AAPL")


async def test_an_older_quote_never_replaces_a_newer_one(floor: Floor) -> None:
    newer = floor.live.quote("AAPL", "187", age=10)
    await floor.board.ensure(["AAPL"])
    floor.live.quote("AAPL", "186", age=20)
    await floor.pass_time(1)
    await floor.board.ensure(["AAPL"])
    assert floor.board.latest("AAPL") == newer


async def test_a_quote_with_one_side_is_no_ground_for_a_decision_and_can_still_be_asked_for(floor: Floor) -> None:
    floor.live.quote("AAPL", "187")
    await floor.board.ensure(["AAPL"])
    await floor.pass_time(1)
    one_sided = floor.live.quote("AAPL", "187", None)
    await floor.board.ensure(["AAPL"])
    assert floor.board.latest("AAPL") is None
    assert floor.board.known(floor.source("AAPL")) == one_sided


async def test_quotes_without_sizes_are_no_ground_for_a_decision(floor: Floor) -> None:
    floor.live.quote("AAPL", "187", size=None)
    await floor.board.ensure(["AAPL"])
    assert floor.board.latest("AAPL") is None


async def test_a_quote_from_the_future_is_not_believed(floor: Floor, caplog: pytest.LogCaptureFixture) -> None:
    soon = floor.live.quote("AAPL", "187", age=-4)
    floor.live.quote("MSFT", "400", age=-3_600)
    await floor.board.ensure(["AAPL", "MSFT"])
    assert floor.board.latest("AAPL") == soon
    assert floor.board.latest("MSFT") is None
    assert "1:00:00 ahead of our clock" in caplog.text


async def test_an_unknown_instrument_is_asked_for_once_in_a_while(floor: Floor) -> None:
    for _ in range(3):
        await floor.board.ensure(["NOPE"])
    assert floor.live.read == ["NOPE"]
    assert floor.live.asked == []
    await floor.pass_time(SETTINGS.unknown_seconds)
    floor.live.list("NOPE")
    quote = floor.live.quote("NOPE", "1")
    await floor.board.ensure(["NOPE"])
    assert floor.board.latest("NOPE") == quote


async def test_an_instrument_is_read_again_after_a_day_and_kept_when_that_fails(floor: Floor) -> None:
    floor.live.quote("AAPL", "187")
    await floor.board.ensure(["AAPL"])
    await floor.pass_time(86_400)
    floor.live.list("AAPL", currency="EUR")
    floor.live.failing.add("AAPL")
    await floor.board.ensure(["AAPL"])
    assert floor.board.instrument("AAPL") == instrument("AAPL")
    floor.live.failing.clear()
    await floor.pass_time(SETTINGS.retry_seconds)
    await floor.board.ensure(["AAPL"])
    read = floor.board.instrument("AAPL")
    assert read is not None
    assert read.currency == "EUR"
    assert floor.live.read == ["AAPL"] * 3


async def test_an_instrument_that_is_gone_after_a_day_is_unknown(floor: Floor) -> None:
    await floor.board.ensure(["AAPL"])
    floor.live.delist("AAPL")
    await floor.pass_time(86_400)
    await floor.board.ensure(["AAPL"])
    assert floor.board.instrument("AAPL") is None


# -- one request for many ----------------------------------------------------------------------------


async def test_what_many_ask_for_at_once_is_one_request_and_what_is_on_its_way_is_not_asked_for_again(
    floor: Floor,
) -> None:
    floor.live.quote("AAPL", "187")
    await floor.board.ensure(["AAPL", "MSFT"])
    floor.live.asked.clear()
    floor.clock.advance(1)
    first = [asyncio.create_task(floor.board.ensure(["AAPL"])) for _ in range(20)]
    first += [asyncio.create_task(floor.board.ensure(["MSFT"])) for _ in range(20)]
    await asyncio.gather(*first)
    assert floor.live.asked == [["AAPL", "MSFT"]]
    assert floor.live.read == ["AAPL", "MSFT"]


async def test_a_caller_that_is_cancelled_takes_nothing_from_the_others(floor: Floor) -> None:
    quote = floor.live.quote("AAPL", "187")
    first = asyncio.create_task(floor.board.ensure(["AAPL"]))
    second = asyncio.create_task(floor.board.ensure(["AAPL"]))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert floor.board.latest("AAPL") == quote
    assert first.cancelled()


# -- the cache ---------------------------------------------------------------------------------------


async def test_what_another_server_has_just_received_is_not_asked_for(floor: Floor) -> None:
    quote = Quote("AAPL", D(187), D(1), D(188), D(1), FRIDAY_NOON - timedelta(seconds=30))
    await floor.cache.put_many("live", [ReceivedQuote(quote, FRIDAY_NOON - timedelta(seconds=0.5))])
    await floor.board.ensure(["AAPL"])
    assert floor.board.latest("AAPL") == quote
    assert floor.live.asked == []
    await floor.pass_time(0.5)
    assert floor.board.wants("AAPL")


async def test_what_was_received_too_long_ago_serves_only_if_the_provider_fails(floor: Floor) -> None:
    kept = Quote("AAPL", D(187), D(1), D(188), D(1), FRIDAY_NOON - timedelta(seconds=60))
    await floor.cache.put_many("live", [ReceivedQuote(kept, FRIDAY_NOON - timedelta(seconds=59))])
    floor.live.quote("AAPL", "190")
    await floor.board.ensure(["AAPL"])
    assert floor.live.asked == [["AAPL"]]
    other = Quote("MSFT", D(187), D(1), D(188), D(1), FRIDAY_NOON - timedelta(seconds=60))
    await floor.cache.put_many("live", [ReceivedQuote(other, FRIDAY_NOON - timedelta(seconds=59))])
    floor.live.error = Unavailable("it is down")
    floor.live.list("MSFT")
    await floor.find("MSFT")
    assert floor.board.latest("MSFT") == other


async def test_another_servers_clock_that_is_ahead_makes_no_quote_younger(floor: Floor) -> None:
    quote = Quote("AAPL", D(187), D(1), D(188), D(1), FRIDAY_NOON)
    await floor.cache.put_many("live", [ReceivedQuote(quote, FRIDAY_NOON + timedelta(seconds=60))])
    await floor.board.ensure(["AAPL"])
    await floor.pass_time(1)
    assert floor.board.wants("AAPL")


async def test_what_is_fetched_and_what_is_streamed_is_shared_and_not_each_quote_by_itself(streaming: Floor) -> None:
    floor = streaming
    floor.live.quote("AAPL", "187")
    await floor.board.ensure(["AAPL"])
    await settle()
    assert (await floor.cache.get_many("live", ["AAPL"]))["AAPL"].quote.bid_price == D(187)
    for bid in range(188, 198):
        floor.clock.advance(0.001)
        floor.live.push("AAPL", str(bid))
        await settle()
    assert (await floor.cache.get_many("live", ["AAPL"]))["AAPL"].quote.bid_price == D(187)
    await floor.pass_time(SETTINGS.share_seconds)
    assert (await floor.cache.get_many("live", ["AAPL"]))["AAPL"].quote.bid_price == D(197)


# -- queries -----------------------------------------------------------------------------------------


async def test_a_query_is_answered_as_known_when_that_is_young_enough_and_else_fetched(floor: Floor) -> None:
    first = floor.live.quote("AAPL", "187", age=2)
    assert await floor.find("AAPL") == ReceivedQuote(first, FRIDAY_NOON)
    await floor.pass_time(10)
    assert await floor.find("AAPL", FRIDAY_NOON - timedelta(seconds=2)) == ReceivedQuote(first, FRIDAY_NOON)
    assert len(floor.live.asked) == 1
    second = floor.live.quote("AAPL", "188")
    assert await floor.find("AAPL", FRIDAY_NOON + timedelta(seconds=1)) == ReceivedQuote(second, floor.clock.now())
    assert len(floor.live.asked) == 2


async def test_the_providers_answer_is_given_even_if_it_is_too_old(floor: Floor) -> None:
    old = floor.live.quote("AAPL", "187", age=60)
    assert await floor.find("AAPL", FRIDAY_NOON) == ReceivedQuote(old, FRIDAY_NOON)


async def test_symbols_without_a_quote_are_left_out(floor: Floor) -> None:
    assert await floor.find("AAPL") is None
    assert await floor.find("AAPL", FRIDAY_NOON) is None


async def test_one_query_may_be_about_several_providers() -> None:
    market, live, board = await simulated_board()
    live.list("AAPL", "MSFT")
    quote = live.quote("MSFT", "400")
    simulated = await market.instrument("AAPL")
    assert simulated is not None
    sources = [Source(market, CAPABILITIES, simulated), Source(live, ASKED, instrument("MSFT"))]
    found = await board.quotes(sources, {})
    assert found == {
        "AAPL": ReceivedQuote(market.in_memory.latest("AAPL"), FRIDAY_NOON),  # type: ignore[arg-type]  # it has one
        "MSFT": ReceivedQuote(quote, FRIDAY_NOON),
    }
    assert board.known(sources[0]) == await board.newest(sources[0]) == market.in_memory.latest("AAPL")
    await board.close()


async def test_a_poll_asks_the_provider_and_tells_when_that_fails(floor: Floor) -> None:
    source = floor.source("AAPL")
    first = floor.live.quote("AAPL", "187")
    assert await floor.board.newest(source) == first
    await floor.pass_time(5)
    second = floor.live.quote("AAPL", "188")
    assert await floor.board.newest(source) == second
    floor.live.error = Unavailable("it is down")
    await floor.pass_time(5)
    with pytest.raises(Unavailable):
        await floor.board.newest(source)
    assert floor.board.known(source) == second


async def test_what_a_feed_sees_is_on_the_board(floor: Floor) -> None:
    quote = Quote("AAPL", D(187), D(1), D(188), D(1), FRIDAY_NOON)
    floor.board.offer("live", quote)
    assert floor.board.latest("AAPL") == quote
    assert floor.live.opened == 0
    await settle()


@pytest.mark.parametrize("field", [field.name for field in fields(BoardSettings)])
def test_settings_that_break_a_rule_name_their_field(field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: must be above 0"):
        BoardSettings(**{field: 0})


@pytest.mark.parametrize(("field", "least"), [("quiet_seconds", 0.5), ("longest_retry_seconds", 4)])
def test_what_is_to_be_longer_must_be(field: str, least: float) -> None:
    with pytest.raises(ValueError, match=f"^{field}: must be at least"):
        BoardSettings(**{field: least})  # type: ignore[arg-type]  # both are seconds
