import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.clock import AcceleratedClock, ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_catalogue import LISTINGS
from adapters.market_data.simulation_settings import Sessions, SimulationSettings
from application.ports.market_data import BarRequest, InMemory, MarketData
from domain.decimals import is_multiple
from domain.market_data.bar import BarInterval
from domain.market_data.quote import Quote
from domain.market_data.trading_hours import ALWAYS_OPEN

ROOT = Path(__file__).parents[3]
START = datetime(2012, 1, 5, tzinfo=UTC)
NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
FRIDAY_EVENING = datetime(2026, 3, 6, 21, 0, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=6_000)).map(lambda since: START + since)
SYMBOLS = st.sampled_from(sorted(LISTINGS))
SESSIONS = st.sampled_from(get_args(Sessions))
TICK = timedelta(seconds=0.25)
Item = TypeVar("Item")


def market(now: datetime, **settings: Any) -> SimulatedMarketData:
    return SimulatedMarketData(ManualClock(now), SimulationSettings(**settings))


def latest(provider: SimulatedMarketData, symbol: str) -> Quote:
    quote = provider.in_memory.latest(symbol)
    assert quote is not None
    return quote


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def collected(
    clock: ManualClock, stream: AsyncGenerator[Item, None], seconds: float, step: float = 0.25
) -> list[Item]:
    """What `stream` gives to a quick reader while the clock moves on by `seconds`, `step` at a time."""
    items: list[Item] = []

    async def read() -> None:
        async for item in stream:
            items.append(item)  # noqa: PERF401 - they must be there when the reader is cancelled

    reader = asyncio.create_task(read())
    await settle()
    for _ in range(round(seconds / step)):
        clock.advance(step)
        await settle()
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    return items


# -- determinism -----------------------------------------------------------------------------------


@given(SYMBOLS, SESSIONS, MOMENTS, st.lists(st.timedeltas(timedelta(0), timedelta(days=300)), max_size=5))
def test_a_quote_depends_on_seed_symbol_and_time_and_not_on_what_was_asked_before(
    symbol: str, sessions: Sessions, moment: datetime, earlier: list[timedelta]
) -> None:
    travelled = ManualClock(moment - sum(earlier, timedelta(0)))
    provider = SimulatedMarketData(travelled, SimulationSettings(sessions=sessions))
    for step in earlier:
        provider.in_memory.latest(symbol)
        travelled.advance(step.total_seconds())
    assert provider.in_memory.latest(symbol) == market(travelled.now(), sessions=sessions).in_memory.latest(symbol)


def test_another_seed_is_another_market() -> None:
    ours, theirs = market(NOON, seed=1), market(NOON, seed=2)
    assert all(ours.in_memory.latest(symbol) != theirs.in_memory.latest(symbol) for symbol in LISTINGS)


def test_another_process_sees_the_same_market() -> None:
    script = (
        "import json, sys\n"
        "from datetime import datetime\n"
        "from adapters.clock import ManualClock\n"
        "from adapters.market_data.simulated_adapter import SimulatedMarketData\n"
        "from adapters.market_data.simulation_settings import SimulationSettings\n"
        "clock = ManualClock(datetime.fromisoformat(sys.argv[1]))\n"
        "market = SimulatedMarketData(clock, SimulationSettings())\n"
        "print(json.dumps({symbol: str(market.in_memory.latest(symbol)) for symbol in sys.argv[2:]}))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, NOON.isoformat(), *LISTINGS],
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    assert json.loads(result.stdout) == {symbol: str(market(NOON).in_memory.latest(symbol)) for symbol in LISTINGS}


def test_a_seeds_market_stays_what_it_was_in_earlier_releases() -> None:
    provider = market(NOON, seed=1)
    shown = {symbol: latest(provider, symbol) for symbol in ("AAPL", "EUR/JPY", "BTC/USD")}
    assert {
        symbol: f"{quote.bid_size} x {quote.bid_price} - {quote.ask_price} x {quote.ask_size}"
        for symbol, quote in shown.items()
    } == {
        "AAPL": "600 x 184.31 - 184.32 x 100",
        "EUR/JPY": "3500000 x 149.691 - 149.715 x 2000000",
        "BTC/USD": "1.38462 x 58974.72 - 58976.96 x 3.23078",
    }


# -- quotes and depth ------------------------------------------------------------------------------


@given(SYMBOLS, SESSIONS, MOMENTS)
def test_a_quote_lies_on_the_grid_with_its_bid_below_its_ask_and_a_realistic_spread(
    symbol: str, sessions: Sessions, moment: datetime
) -> None:
    quote = latest(market(moment, sessions=sessions), symbol)
    instrument = LISTINGS[symbol].instrument
    assert 0 < quote.bid_price < quote.ask_price
    assert all(is_multiple(price, instrument.tick_size) for price in (quote.bid_price, quote.ask_price))
    assert all(size > 0 and is_multiple(size, instrument.lot_size) for size in (quote.bid_size, quote.ask_size))
    usual = quote.mid * Decimal(LISTINGS[symbol].spread)
    assert quote.ask_price - quote.bid_price <= max(instrument.tick_size, 2 * usual)


@given(SYMBOLS, MOMENTS, st.sampled_from([0.1, 0.25, 1.0, 7.0]))
def test_a_quote_is_as_old_as_its_tick_and_stays_for_the_whole_of_it(
    symbol: str, moment: datetime, interval: float
) -> None:
    clock = ManualClock(moment)
    provider = SimulatedMarketData(clock, SimulationSettings(tick_interval=interval))
    quote = latest(provider, symbol)
    age = moment - quote.quote_time
    assert timedelta(0) <= age < timedelta(seconds=interval)
    clock.advance((timedelta(seconds=interval) - age).total_seconds() - 0.000_001)
    assert provider.in_memory.latest(symbol) is quote
    clock.advance(0.000_001)
    assert latest(provider, symbol).quote_time == quote.quote_time + timedelta(seconds=interval)


def test_sizes_vary_so_that_a_large_order_fills_in_parts() -> None:
    clock = ManualClock(NOON)
    provider = SimulatedMarketData(clock, SimulationSettings())
    sizes = set()
    for _ in range(200):
        sizes.add(latest(provider, "AAPL").ask_size)
        clock.advance(0.25)
    assert sizes == {Decimal(hundreds * 100) for hundreds in range(1, 9)}


@given(SYMBOLS, MOMENTS, st.integers(1, 50))
async def test_the_book_begins_with_the_quote_and_grows_away_from_it(symbol: str, moment: datetime, depth: int) -> None:
    provider = market(moment)
    quote = latest(provider, symbol)
    book = await provider.order_book(symbol, depth)
    instrument = LISTINGS[symbol].instrument
    assert book is not None
    assert book.book_time == quote.quote_time
    assert (book.bids[0].price, book.bids[0].size) == (quote.bid_price, quote.bid_size)
    assert (book.asks[0].price, book.asks[0].size) == (quote.ask_price, quote.ask_size)
    assert len(book.bids) == len(book.asks) == depth
    assert all(better.price > worse.price and better.size < worse.size for better, worse in pairwise(book.bids))
    assert all(better.price < worse.price and better.size < worse.size for better, worse in pairwise(book.asks))
    for level in (*book.bids, *book.asks):
        assert is_multiple(level.price, instrument.tick_size)
        assert is_multiple(level.size, instrument.lot_size)


async def test_bids_end_before_the_price_would_be_zero() -> None:
    book = await market(NOON).order_book("VOD", 5_000)
    assert book is not None
    assert len(book.bids) < len(book.asks) == 5_000
    assert book.bids[-1].price > 0


def test_what_is_not_in_the_catalogue_is_unknown() -> None:
    provider = market(NOON)
    assert provider.in_memory.instrument("NOPE") is None
    assert provider.in_memory.latest("NOPE") is None
    assert asyncio.run(provider.order_book("NOPE", 5)) is None


def test_nothing_is_quoted_before_the_history_begins() -> None:
    assert market(datetime(1999, 6, 1, tzinfo=UTC)).in_memory.latest("AAPL") is None


def test_cross_rates_and_their_legs_agree_at_the_turn_of_the_day() -> None:
    provider = market(datetime(2026, 3, 4, tzinfo=UTC))
    product = latest(provider, "EUR/USD").mid * latest(provider, "USD/JPY").mid
    assert abs(latest(provider, "EUR/JPY").mid / product - 1) < Decimal("0.0005")


# -- sessions --------------------------------------------------------------------------------------


async def test_a_market_that_is_always_open_says_so_of_every_instrument() -> None:
    for instrument in await market(NOON).instruments():
        assert instrument.hours == ALWAYS_OPEN


async def test_the_catalogue_is_sorted_and_keeps_the_venues_hours_in_exchange_mode() -> None:
    instruments = await market(NOON, sessions="exchange").instruments()
    assert [instrument.symbol for instrument in instruments] == sorted(LISTINGS)
    assert all(instrument == LISTINGS[instrument.symbol].instrument for instrument in instruments)


@pytest.mark.parametrize("closed_for", [timedelta(0), timedelta(hours=1), timedelta(days=2)])
def test_the_last_quote_stays_and_grows_old_while_an_exchange_is_closed(closed_for: timedelta) -> None:
    quote = latest(market(FRIDAY_EVENING + closed_for, sessions="exchange"), "AAPL")
    assert quote.quote_time == FRIDAY_EVENING - TICK
    assert quote == latest(market(FRIDAY_EVENING - TICK, sessions="exchange"), "AAPL")


def test_quotes_are_fresh_again_from_the_open_on() -> None:
    monday = datetime(2026, 3, 9, 13, 30, tzinfo=UTC)
    before, after = (market(at, sessions="exchange") for at in (monday - TICK, monday))
    assert latest(before, "AAPL").quote_time == FRIDAY_EVENING - TICK
    assert latest(after, "AAPL").quote_time == monday


@pytest.mark.parametrize(("symbol", "trades"), [("AAPL", False), ("EUR/USD", False), ("BTC/USD", True)])
def test_only_crypto_trades_on_a_saturday(symbol: str, trades: bool) -> None:
    saturday = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)
    assert (latest(market(saturday, sessions="exchange"), symbol).quote_time == saturday) is trades


async def test_no_quote_and_no_trade_is_streamed_while_the_exchange_is_closed() -> None:
    clock = ManualClock(FRIDAY_EVENING + timedelta(hours=1))
    provider = SimulatedMarketData(clock, SimulationSettings(sessions="exchange"))
    assert await collected(clock, provider.quotes(["AAPL"]), 30) == [provider.in_memory.latest("AAPL")]
    assert await collected(clock, provider.trades(["AAPL"]), 30) == []


# -- streams ---------------------------------------------------------------------------------------


async def test_quotes_begin_with_the_present_one_and_follow_every_tick() -> None:
    clock = ManualClock(NOON)
    provider = SimulatedMarketData(clock, SimulationSettings())
    quotes = await collected(clock, provider.quotes(["MSFT", "AAPL", "NOPE", "AAPL"]), 2)
    expected = [(symbol, NOON + number * TICK) for number in range(9) for symbol in ("AAPL", "MSFT")]
    assert [(quote.symbol, quote.quote_time) for quote in quotes] == expected
    assert quotes == [market(quote.quote_time).in_memory.latest(quote.symbol) for quote in quotes]


async def test_a_slow_reader_of_quotes_gets_the_newest_and_not_each_one() -> None:
    clock = ManualClock(NOON)
    provider = SimulatedMarketData(clock, SimulationSettings())
    stream = provider.quotes(["AAPL"])
    assert (await anext(stream)).quote_time == NOON
    waiting = asyncio.ensure_future(anext(stream))
    await settle()
    clock.advance(3600)
    assert (await waiting) == provider.in_memory.latest("AAPL")
    await stream.aclose()


async def test_every_print_lies_within_the_quote_of_its_moment_and_has_an_id_of_its_own() -> None:
    clock = ManualClock(NOON)
    provider = SimulatedMarketData(clock, SimulationSettings())
    symbols = ["AAPL", "CAT", "EUR/USD", "BTC/USD"]
    trades = await collected(clock, provider.trades(symbols), 60)
    assert {trade.symbol for trade in trades} == set(symbols)
    assert len({(trade.symbol, trade.trade_id) for trade in trades}) == len(trades)
    for trade in trades:
        quote = latest(market(trade.trade_time), trade.symbol)
        assert quote.quote_time == trade.trade_time
        assert quote.bid_price <= trade.price <= quote.ask_price
        assert is_multiple(trade.size, LISTINGS[trade.symbol].instrument.lot_size)


@given(MOMENTS, st.sampled_from([0.25, 1.0, 30.0, 600.0]))
async def test_prints_come_once_each_in_order_however_slow_the_reader_is(moment: datetime, step: float) -> None:
    def provider(clock: ManualClock) -> SimulatedMarketData:
        return SimulatedMarketData(clock, SimulationSettings())

    slow, quick = ManualClock(moment), ManualClock(moment)
    seconds = max(60.0, step)
    trades = await collected(slow, provider(slow).trades(["AAPL", "VOD"]), seconds, step)
    assert [trade.trade_time for trade in trades] == sorted(trade.trade_time for trade in trades)
    assert all(moment < trade.trade_time <= slow.now() for trade in trades)
    if step == 1.0:
        assert trades == await collected(quick, provider(quick).trades(["AAPL", "VOD"]), seconds, 0.5)


async def test_the_prints_of_a_minute_are_its_bar() -> None:
    clock = ManualClock(NOON - TICK)
    provider = SimulatedMarketData(clock, SimulationSettings())
    trades = await collected(clock, provider.trades(["AAPL"]), 60)
    request = BarRequest("AAPL", BarInterval.MINUTE_1, NOON, NOON + timedelta(minutes=1), 1)
    (bar,) = (await provider.bars(request)).bars
    prices = [trade.price for trade in trades]
    assert (bar.open, bar.high, bar.low, bar.close) == (prices[0], max(prices), min(prices), prices[-1])
    assert (bar.volume, bar.trade_count) == (sum(trade.size for trade in trades), len(trades))


@pytest.mark.parametrize(
    ("interval", "seconds", "step"),
    [
        (BarInterval.SECOND_1, 120, 0.5),
        (BarInterval.MINUTE_1, 600, 30),
        (BarInterval.HOUR_1, 30 * 3600, 1200),
        (BarInterval.DAY_1, 5 * 86400, 7200),
        (BarInterval.MONTH_1, 70 * 86400, 43200),
    ],
)
@pytest.mark.parametrize("sessions", get_args(Sessions))
async def test_each_bar_is_streamed_when_it_is_complete(
    interval: BarInterval, seconds: float, step: float, sessions: Sessions
) -> None:
    start = datetime(2026, 3, 4, 15, 7, 3, tzinfo=UTC)
    clock = ManualClock(start)
    provider = SimulatedMarketData(clock, SimulationSettings(sessions=sessions))
    length = interval.fixed_length or timedelta(days=31)
    streamed = await collected(clock, provider.live_bars(["AAPL", "BTC/USD"], interval), seconds, step)
    expected = [
        bar
        for symbol in ("AAPL", "BTC/USD")
        for bar in (await provider.bars(BarRequest(symbol, interval, start - length, clock.now(), 1_000))).bars
        if start < bar.close_time <= clock.now()
    ]
    assert streamed == sorted(expected, key=lambda bar: (bar.close_time, bar.symbol))
    assert not any(bar.partial for bar in streamed)


STREAMS: list[Callable[[SimulatedMarketData, list[str]], AsyncGenerator[Any, None]]] = [
    lambda provider, symbols: provider.quotes(symbols),
    lambda provider, symbols: provider.trades(symbols),
    lambda provider, symbols: provider.live_bars(symbols, BarInterval.MINUTE_1),
]


@pytest.mark.parametrize("stream_of", STREAMS, ids=["quotes", "trades", "bars"])
async def test_a_stream_ends_when_it_is_closed_and_when_there_is_nothing_to_stream(
    stream_of: Callable[[SimulatedMarketData, list[str]], AsyncGenerator[Any, None]],
) -> None:
    provider = SimulatedMarketData(AcceleratedClock(500.0, NOON), SimulationSettings())
    assert [item async for item in stream_of(provider, ["NOPE"])] == []
    stream = stream_of(provider, ["AAPL"])
    await anext(stream)
    await stream.aclose()
    assert [item async for item in stream] == []


@pytest.mark.parametrize("stream_of", STREAMS, ids=["quotes", "trades", "bars"])
async def test_a_stream_that_is_cancelled_while_it_waits_ends_at_once(
    stream_of: Callable[[SimulatedMarketData, list[str]], AsyncGenerator[Any, None]],
) -> None:
    clock = ManualClock(NOON)
    stream = stream_of(SimulatedMarketData(clock, SimulationSettings()), ["AAPL"])

    async def exhaust() -> None:
        async for _ in stream:
            pass

    reader = asyncio.create_task(exhaust())
    await settle()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    clock.advance(600)
    assert [item async for item in stream] == []


async def test_an_accelerated_clock_makes_the_whole_market_faster() -> None:
    clock = AcceleratedClock(600.0, NOON)
    stream = SimulatedMarketData(clock, SimulationSettings()).live_bars(["AAPL"], BarInterval.MINUTE_1)
    async with asyncio.timeout(10):
        opens = [(await anext(stream)).open_time for _ in range(10)]
    await stream.aclose()
    assert opens == [NOON + timedelta(minutes=minute) for minute in range(10)]


# -- the ports and the settings --------------------------------------------------------------------


async def test_what_is_in_memory_is_never_to_be_asked_for() -> None:
    data: MarketData = market(NOON)
    assert isinstance(data, InMemory)
    quotes = data.in_memory
    assert not quotes.wants("AAPL")
    await quotes.ensure(["AAPL", "NOPE"])
    assert quotes.instrument("AAPL") == await data.instrument("AAPL")
    assert quotes.latest("AAPL") in await data.latest_quotes(["NOPE", "AAPL"])


@pytest.mark.parametrize("interval", [0.0, -1.0, 61.0, float("nan"), float("inf")])
def test_a_tick_that_is_no_tick_is_refused_by_name(interval: float) -> None:
    with pytest.raises(ValueError, match="tick_interval: must be"):
        SimulationSettings(tick_interval=interval)


def test_sessions_of_another_kind_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="sessions: must be one of always_open, exchange"):
        SimulationSettings(sessions="weekdays")  # type: ignore[arg-type]
