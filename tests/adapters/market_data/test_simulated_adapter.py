"""The simulated provider as the ports show it: its instruments, and streams that follow the clock and end."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.clock import AcceleratedClock, ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_catalogue import LISTINGS
from adapters.market_data.simulation_settings import Sessions, SimulationSettings
from application.ports.market_data import BarRequest, InMemory, MarketData, Subscribed
from domain.decimals import is_multiple
from domain.market_data.bar import BarInterval
from domain.market_data.trading_hours import ALWAYS_OPEN
from tests.support.live_items import only_items
from tests.support.market import settle
from tests.support.simulated import FRIDAY_EVENING, MOMENTS, NOON, TICK, latest, market

Item = TypeVar("Item")


async def collected(
    clock: ManualClock, stream: AsyncGenerator[Item | Subscribed, None], seconds: float, step: float = 0.25
) -> list[Item]:
    """The items that `stream` gives to a quick reader while the clock moves on by `seconds`, `step` at a time."""
    items: list[Item] = []

    async def read() -> None:
        async for item in only_items(stream):
            items.append(item)  # noqa: PERF401 - they must be there when the reader is cancelled

    reader = asyncio.create_task(read())
    await settle()
    for _ in range(round(seconds / step)):
        clock.advance(step)
        await settle()
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    return items


# -- instruments and what is in memory -------------------------------------------------------------


async def test_a_market_that_is_always_open_says_so_of_every_instrument() -> None:
    for instrument in await market(NOON).instruments():
        assert instrument.hours == ALWAYS_OPEN


async def test_the_catalogue_is_sorted_and_keeps_the_venues_hours_in_exchange_mode() -> None:
    instruments = await market(NOON, sessions="exchange").instruments()
    assert [instrument.symbol for instrument in instruments] == sorted(LISTINGS)
    assert all(instrument == LISTINGS[instrument.symbol].instrument for instrument in instruments)


async def test_what_is_in_memory_is_never_to_be_asked_for() -> None:
    data: MarketData = market(NOON)
    assert isinstance(data, InMemory)
    quotes = data.in_memory
    assert not quotes.wants("AAPL")
    await quotes.ensure(["AAPL", "NOPE"])
    assert quotes.instrument("AAPL") == await data.instrument("AAPL")
    assert quotes.latest("AAPL") in await data.latest_quotes(["NOPE", "AAPL"])


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
    stream = only_items(provider.quotes(["AAPL"]))
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


async def test_no_quote_and_no_trade_is_streamed_while_the_exchange_is_closed() -> None:
    clock = ManualClock(FRIDAY_EVENING + timedelta(hours=1))
    provider = SimulatedMarketData(clock, SimulationSettings(sessions="exchange"))
    assert await collected(clock, provider.quotes(["AAPL"]), 30) == [provider.in_memory.latest("AAPL")]
    assert await collected(clock, provider.trades(["AAPL"]), 30) == []


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
async def test_a_stream_says_at_once_that_it_is_subscribed(
    stream_of: Callable[[SimulatedMarketData, list[str]], AsyncGenerator[Any, None]],
) -> None:
    async with aclosing(stream_of(market(NOON), ["AAPL", "NOPE", "BTC/USD"])) as stream:
        assert [await anext(stream) for _ in range(2)] == [Subscribed("AAPL"), Subscribed("BTC/USD")]


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
    stream = only_items(SimulatedMarketData(clock, SimulationSettings()).live_bars(["AAPL"], BarInterval.MINUTE_1))
    async with asyncio.timeout(10):
        opens = [(await anext(stream)).open_time for _ in range(10)]
    await stream.aclose()
    assert opens == [NOON + timedelta(minutes=minute) for minute in range(10)]
