"""What decisions read of the board, when a provider is asked for it, and what becomes of it when that fails."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.cache.memory_quote_cache import MemoryQuoteCache
from adapters.clock import ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_settings import CAPABILITIES, SimulationSettings
from application.market_data.newest_quotes import NewestQuotes
from application.market_data.providers import Lack, Offer, Providers
from application.market_data.quote_board import BoardSettings, QuoteBoard
from application.market_data.source import Source
from application.ports.quote_cache import ReceivedQuote
from domain.errors import DomainError, PreconditionFailed, Throttled, Unavailable
from domain.market_data.quote import Quote, TopOfBook
from tests.support.market import FRIDAY_NOON, settle
from tests.support.provider import ASKED, STREAMED, SpokenMarketData
from tests.support.trading import instrument

SETTINGS = BoardSettings(fetch_timeout_seconds=0.1)
D = Decimal


def providers(
    *spoken: SpokenMarketData, routes: tuple[tuple[str, str], ...] = (), more: tuple[Offer, ...] = ()
) -> Providers:
    return Providers([*more, *(one.offer() for one in spoken)], spoken[0].name, routes)


@dataclass
class Floor:
    clock: ManualClock
    live: SpokenMarketData
    cache: MemoryQuoteCache
    board: QuoteBoard

    def source(self, symbol: str) -> Source:
        return Source(self.live, self.live.capabilities, instrument(symbol))

    async def find(self, symbol: str, oldest: datetime | None = None) -> ReceivedQuote | DomainError | None:
        return (await self.board.quotes([self.source(symbol)], {symbol: oldest})).get(symbol)

    async def pass_time(self, seconds: float) -> None:
        """Move the clock, and let whoever waits for it do what it does, opening a provider included."""
        self.clock.advance(seconds)
        await settle()

    async def down(self, symbol: str = "AAPL") -> None:
        """An outage has begun because of a request for the symbol, which was known before."""
        self.live.error = Unavailable("it is down", reason="MARKET_DATA_UNAVAILABLE")
        await self.board.ensure([symbol])
        assert not self.board.wants(symbol)


@pytest.fixture
async def build() -> AsyncIterator[Callable[..., Floor]]:
    boards: list[QuoteBoard] = []

    def one(streams: bool = False, **settings: float) -> Floor:
        clock = ManualClock(FRIDAY_NOON)
        live = SpokenMarketData(clock, capabilities=STREAMED if streams else ASKED)
        live.list("AAPL", "MSFT")
        cache = MemoryQuoteCache(clock)
        changed = replace(SETTINGS, **settings)  # type: ignore[arg-type]  # values of each field's type
        boards.append(QuoteBoard(providers(live), cache, clock, changed))
        return Floor(clock, live, cache, boards[-1])

    yield one
    for board in boards:
        await board.close()


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


# -- failures ----------------------------------------------------------------------------------------


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
