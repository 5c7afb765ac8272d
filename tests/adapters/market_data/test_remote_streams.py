"""Live data by the remote provider: a real MarketDataService on a real socket, and what happens when it is lost."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar, cast

import pytest

from adapters.clock import ManualClock
from adapters.market_data import remote_streams
from adapters.market_data.remote_adapter import RemoteMarketData
from adapters.market_data.remote_settings import CAPABILITIES
from application.market_data.market import Market
from application.market_data.market_data_hub import MarketDataHub
from application.market_data.subscriber import Subscriber
from application.market_data.topics import Channel, Topic, UpstreamNews, UpstreamState
from application.ports.market_data import Subscribed
from domain.errors import PreconditionFailed, Unavailable
from domain.market_data.bar import BarInterval
from domain.market_data.quote import TopOfBook
from tests.support.market import FRIDAY_NOON, TICK, FickleMarketData, market_of, simulated, wanted
from tests.support.market import offer as offered
from tests.support.provider import STREAMED, SpokenMarketData
from tests.support.remote_rig import FarServer, Relay, far_server, remote
from tests.support.scripted_bars import ScriptedBars, capabilities

T = TypeVar("T")

_SECONDS = 5.0
Open = Callable[[RemoteMarketData], AsyncIterator[Any]]
EACH: dict[str, Open] = {
    "quotes": lambda near: near.quotes(["BTC/USD"]),
    "trades": lambda near: near.trades(["BTC/USD"]),
    "live_bars": lambda near: near.live_bars(["BTC/USD"], BarInterval.SECOND_1),
    "order_books": lambda near: near.order_books("BTC/USD", 5),
}


def reading(items: AsyncIterator[T]) -> Any:
    return aclosing(cast("AsyncGenerator[T, None]", items))


async def following(items: AsyncIterator[T]) -> T:
    async with asyncio.timeout(_SECONDS):
        return await anext(items)


async def rest(items: AsyncIterator[T]) -> list[T]:
    async with asyncio.timeout(_SECONDS):
        return [item async for item in items]


class Simulation:
    """The simulated provider behind a server, and one from afar, on a clock that the test moves."""

    def __init__(self, clock: ManualClock, provider: FickleMarketData, server: FarServer, near: RemoteMarketData):
        self.clock = clock
        self.provider = provider
        self.server = server
        self.near = near

    async def give(self, items: AsyncIterator[T], count: int) -> list[T]:
        """The next `count` items, while the market goes on."""
        given: list[T] = []
        for _ in range(count):
            coming = asyncio.ensure_future(following(items))
            while not coming.done():
                self.clock.advance(TICK)
                await asyncio.sleep(0.002)
            given.append(coming.result())
        return given


@asynccontextmanager
async def simulation(**settings: Any) -> AsyncIterator[Simulation]:
    clock, provider, market = simulated()
    async with far_server(clock, market) as server, remote(server, **settings) as near:
        yield Simulation(clock, provider, server, near)


@asynccontextmanager
async def spoken(**settings: Any) -> AsyncIterator[tuple[SpokenMarketData, RemoteMarketData]]:
    """A provider that is silent but for what the test says; the server asks nobody else."""
    clock = ManualClock(FRIDAY_NOON)
    provider = SpokenMarketData(clock, capabilities=STREAMED)
    provider.list("ACME", "BOLT")
    async with far_server(clock, market_of(clock, provider.offer())) as server, remote(server, **settings) as near:
        yield provider, near


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(_SECONDS):
        while not holds():  # noqa: ASYNC110 - of the other side, which tells nobody
            await asyncio.sleep(0.005)


# -- what is given -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", EACH)
async def test_the_subscription_is_confirmed_and_items_follow_as_the_provider_makes_them(channel: str) -> None:
    async with simulation() as far:
        direct: list[Any] = []

        async def listen() -> None:
            async with reading(EACH[channel](cast("RemoteMarketData", far.provider))) as items:
                async for item in items:
                    direct.append(item)  # noqa: PERF401 - what there is of it when it is cancelled counts

        listening = asyncio.create_task(listen())
        async with reading(EACH[channel](far.near)) as items:
            confirmed, *given = await far.give(items, 9)
        listening.cancel()
        assert confirmed == Subscribed("BTC/USD")
        assert len({repr(item) for item in given}) == 8
        assert [item for item in direct if item in given] == given or channel in ("quotes", "order_books")
        assert all(item in direct for item in given[1:])


async def test_one_iteration_has_the_quotes_of_all_of_its_symbols_but_of_unknown_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote_streams, "_MOST_SYMBOLS", 2)
    symbols = ["BTC/USD", "EUR/USD", "AAPL"]
    async with simulation() as far, reading(far.near.quotes([*symbols, "NOPE", "AAPL"])) as items:
        given = await far.give(items, 24)
        assert {item.symbol for item in given if isinstance(item, Subscribed)} == set(symbols)
        assert {item.symbol for item in given if isinstance(item, TopOfBook)} == set(symbols)
        assert sum(isinstance(item, Subscribed) for item in given) == 3


async def test_an_order_book_has_as_many_levels_as_were_asked_for() -> None:
    async with simulation() as far:
        for depth in (3, 40):
            async with reading(far.near.order_books("BTC/USD", depth)) as books:
                _, book = await far.give(books, 2)
                assert (len(book.bids), len(book.asks)) == (depth, depth)


async def test_a_quiet_instrument_is_confirmed_before_its_first_item() -> None:
    async with simulation() as far, reading(far.near.live_bars(["AAPL"], BarInterval.DAY_1)) as items:
        assert await following(items) == Subscribed("AAPL")


async def test_what_nobody_reads_any_more_is_let_go_of_at_the_server() -> None:
    async with simulation() as far:
        async with reading(far.near.quotes(["BTC/USD"])) as items:
            await far.give(items, 2)
            assert far.provider.running == 1
        await until(lambda: far.provider.running == 0)


@pytest.mark.parametrize("channel", ["quotes", "trades", "live_bars"])
async def test_an_iteration_over_nothing_that_is_known_ends(channel: str) -> None:
    of: dict[str, Callable[[RemoteMarketData, list[str]], AsyncIterator[Any]]] = {
        "quotes": lambda near, symbols: near.quotes(symbols),
        "trades": lambda near, symbols: near.trades(symbols),
        "live_bars": lambda near, symbols: near.live_bars(symbols, BarInterval.MINUTE_1),
    }
    async with simulation() as far:
        for symbols in ([], ["NOPE", "NEITHER"]):
            async with asyncio.timeout(_SECONDS):
                assert [item async for item in of[channel](far.near, symbols)] == []


async def test_what_the_provider_does_not_stream_is_refused_in_its_words() -> None:
    clock = ManualClock(FRIDAY_NOON)
    bars = offered(ScriptedBars(clock, FRIDAY_NOON), capabilities())  # type: ignore[arg-type]  # bars alone
    async with far_server(clock, market_of(clock, bars)) as server, remote(server) as near:
        with pytest.raises(PreconditionFailed, match="scripted has no live trades") as refused:
            await following(near.trades(["ACME"]))
        assert refused.value.reason == "PROVIDER_NOT_CAPABLE"
        with pytest.raises(PreconditionFailed, match="scripted has no bars of 5m"):
            await following(near.live_bars(["ACME"], BarInterval.MINUTE_5))


# -- what is lost ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", EACH)
async def test_a_server_that_stops_says_so_and_one_that_vanishes_is_noticed(channel: str) -> None:
    async with simulation() as far:
        async with reading(EACH[channel](far.near)) as items:
            await far.give(items, 2)
            await far.server.stop()
            with pytest.raises(Unavailable, match="its server shuts down"):
                await rest(items)
        await far.server.start()
        async with reading(EACH[channel](far.near)) as items:
            assert await following(items) == Subscribed("BTC/USD")
            await far.server.vanish()
            with pytest.raises(Unavailable) as lost:
                await rest(items)
            assert lost.value.reason == "MARKET_DATA_UNAVAILABLE"
        await far.server.start()


async def test_a_stream_without_a_sign_of_life_is_lost() -> None:
    async with (
        simulation() as far,
        Relay(far.server.address) as relay,
        remote(far.server, relay.address, stream_silence_seconds=0.5) as near,
        reading(near.quotes(["BTC/USD"])) as items,
    ):
        await far.give(items, 2)
        relay.mute()
        with pytest.raises(Unavailable, match=r"no sign of life for 0\.5 s"):
            await rest(items)


async def test_a_stream_of_which_nothing_is_new_is_not_lost() -> None:
    async with spoken(stream_silence_seconds=0.5) as (provider, near), reading(near.quotes(["ACME"])) as items:
        coming = asyncio.ensure_future(anext(items))
        await until(lambda: provider.open_streams.get("ACME") == 1)
        await asyncio.sleep(1.2)
        quote = provider.push("ACME", "10")
        assert [await coming, await following(items)] == [Subscribed("ACME"), quote]


async def test_that_the_server_lost_its_own_upstream_ends_the_iteration() -> None:
    async with spoken() as (provider, near), reading(near.quotes(["ACME"])) as items:
        coming = asyncio.ensure_future(anext(items))
        await until(lambda: provider.open_streams.get("ACME") == 1)
        quote = provider.push("ACME", "10")
        assert [await coming, await following(items)] == [Subscribed("ACME"), quote]
        provider.cut("ACME")
        with pytest.raises(Unavailable, match=r"the upstream is lost.*the line is cut"):
            await following(items)


async def test_what_a_server_had_before_it_lost_its_upstream_is_not_given_as_if_it_were_live() -> None:
    async with spoken() as (provider, near), reading(near.quotes(["ACME"])) as holding:
        coming = asyncio.ensure_future(anext(holding))
        await until(lambda: provider.open_streams.get("ACME") == 1)
        provider.push("ACME", "10")
        await coming
        # `holding` stays, so the server's own feed goes on, and knows the quote.
        async with reading(near.quotes(["ACME"])) as items:
            assert isinstance(await following(items), Subscribed)
            provider.cut("ACME")
            with pytest.raises(Unavailable, match="the upstream is lost"):
                await rest(items)
        async with reading(near.quotes(["ACME"])) as items:
            with pytest.raises(Unavailable, match="the upstream is lost"):
                await following(items)


async def test_closing_ends_every_iteration() -> None:
    async with simulation() as far:
        iterations = [EACH[channel](far.near) for channel in EACH]
        for items in iterations:
            await far.give(items, 1)
        rests = [asyncio.create_task(rest(items)) for items in iterations]
        await asyncio.sleep(0.02)
        await far.near.close()
        async with asyncio.timeout(_SECONDS):
            await asyncio.gather(*rests)


async def test_a_reader_that_is_cancelled_leaves_the_others_be() -> None:
    async with simulation() as far, reading(far.near.trades(["BTC/USD"])) as staying:
        await far.give(staying, 2)
        leaving = asyncio.create_task(rest(far.near.trades(["BTC/USD"])))
        await asyncio.sleep(0.05)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        assert len(await far.give(staying, 3)) == 3


# -- under a feed ------------------------------------------------------------------------------------------


async def test_a_feed_over_it_tells_of_the_break_once_and_of_the_return_once() -> None:
    """Subscribers of this process see what those of the other would."""
    clock = ManualClock(FRIDAY_NOON)
    provider = SpokenMarketData(clock, capabilities=STREAMED)
    provider.list("ACME")
    async with far_server(clock, market_of(clock, provider.offer())) as server, remote(server) as near:
        market = market_of(clock, offered(near, CAPABILITIES))
        hub, reader = MarketDataHub(market), Subscriber()
        await _watch(market, hub, reader)
        await until(lambda: provider.open_streams.get("ACME") == 1)
        provider.push("ACME", "10")
        seen: list[Any] = []
        await _see(seen, reader, lambda: _states(seen) == [UpstreamState.LIVE] and _bids(seen) == ["10"])

        provider.cut("ACME")
        await _see(seen, reader, lambda: _states(seen)[1:] == [UpstreamState.RECONNECTING])
        for _ in range(4):  # it is opened again and again, and the server has the old quote to give
            clock.advance(0.1)
            await asyncio.sleep(0.02)
        while provider.open_streams.get("ACME") != 1:
            clock.advance(0.25)
            await asyncio.sleep(0.01)
        provider.push("ACME", "11")
        async with asyncio.timeout(_SECONDS):
            while _bids(seen)[-1] != "11":
                clock.advance(0.25)
                await asyncio.sleep(0.01)
                seen += _taken(reader)
        assert _states(seen) == [UpstreamState.LIVE, UpstreamState.RECONNECTING, UpstreamState.RESUBSCRIBED]
        assert _bids(seen) == ["10", "11"]
        hub.close(reader)


async def _watch(market: Market, hub: MarketDataHub, reader: Subscriber) -> None:
    hub.subscribe(reader, await wanted(market, Topic(Channel.QUOTES, "remote", "ACME")))


async def _see(seen: list[Any], reader: Subscriber, enough: Callable[[], bool]) -> None:
    async with asyncio.timeout(_SECONDS):
        while not enough():
            seen += _taken(reader)
            await asyncio.sleep(0.005)


def _taken(reader: Subscriber) -> list[Any]:
    taken = []
    while (delivery := reader.take()) is not None:
        taken.append(delivery.update.item)
    return taken


def _states(seen: list[Any]) -> list[UpstreamState]:
    return [item.state for item in seen if isinstance(item, UpstreamNews)]


def _bids(seen: list[Any]) -> list[str]:
    return [str(item.bid_price) for item in seen if isinstance(item, TopOfBook)]
