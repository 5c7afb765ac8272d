"""StreamQuotes, StreamTrades and StreamBars over the wire: at once, complete or conflated, and never in the way."""

import asyncio
from datetime import UTC, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from application.ports.market_data import BarRequest
from domain.market_data.bar import BarInterval
from quantmesh.marketdata.v1 import bar_pb2, market_data_stream_pb2
from quantmesh.marketdata.v1.market_data_stream_pb2 import (
    StreamBarsRequest,
    StreamQuotesRequest,
    StreamTradesRequest,
)
from server.mapping.common import to_timestamp
from tests.server.market_rig import MarketRig, data, market, rest_of_data
from tests.server.rig import kinds, refusal, take, within
from tests.support.market import FRIDAY_NOON

NOON = FRIDAY_NOON.replace(microsecond=0)
MINUTE = timedelta(minutes=1)
MINUTES = bar_pb2.BAR_INTERVAL_ONE_MINUTE
SOON = Duration(nanos=100_000_000)


def quotes(rig: MarketRig, *symbols: str, **options: Any) -> Any:
    return rig.stub.StreamQuotes(StreamQuotesRequest(symbols=symbols, **options))


def trades(rig: MarketRig, *symbols: str, **options: Any) -> Any:
    return rig.stub.StreamTrades(StreamTradesRequest(symbols=symbols, **options))


def bars(rig: MarketRig, *symbols: str, **options: Any) -> Any:
    return rig.stub.StreamBars(StreamBarsRequest(symbols=symbols, interval=MINUTES, **options))


def opens(messages: list[Any]) -> list[int]:
    """Minutes from noon at which the bars of `messages` open."""
    return [(message.bar.open_time.seconds - int(NOON.timestamp())) // 60 for message in messages]


# -- quotes ------------------------------------------------------------------------------------------------


async def test_the_present_quote_of_each_symbol_comes_at_once_and_then_every_change() -> None:
    async with market() as rig:
        stream = quotes(rig, "AAPL", "MSFT")
        first = await data(stream, 2)
        assert [message.quote.symbol for message in first] == ["AAPL", "MSFT"]
        assert first[0].quote.received_time.ToDatetime() == FRIDAY_NOON.replace(tzinfo=None)
        for number in range(1, 4):
            await rig.tick()
            changed = await data(stream, 2)
            assert {message.quote.symbol for message in changed} == {"AAPL", "MSFT"}
            for message in changed:
                assert message.quote.quote_time.ToDatetime() == NOON.replace(tzinfo=None) + number * timedelta(
                    seconds=0.25
                )
                assert message.quote.merged_count == 0


async def test_a_symbol_without_a_market_gets_a_heartbeat_at_once_and_later_ones_count_the_quotes() -> None:
    async with market(hidden=["MSFT"]) as rig:
        (first,) = await data(quotes(rig, "MSFT"), 1)
        assert (first.WhichOneof("message"), first.heartbeat.sequence) == ("heartbeat", 0)
        stream = quotes(rig, "AAPL", "MSFT", heartbeat_interval=SOON)
        messages = await data(stream, 3)
        assert kinds(messages) == ["quote", "heartbeat", "heartbeat"]
        assert [message.heartbeat.sequence for message in messages[1:]] == [1, 1]


async def test_while_there_are_quotes_no_heartbeat_is_sent() -> None:
    async with market() as rig:
        stream = quotes(rig, "AAPL", heartbeat_interval=Duration(nanos=300_000_000))
        for _ in range(10):
            assert kinds(await data(stream, 1)) == ["quote"]
            await rig.tick()
            await asyncio.sleep(0.05)


async def test_quotes_that_follow_each_other_too_fast_are_merged_and_counted() -> None:
    async with market() as rig:
        stream = quotes(rig, "AAPL", min_interval=Duration(nanos=500_000_000))
        await data(stream, 1)
        await rig.tick(5)
        (merged,) = await data(stream, 1)
        assert merged.quote.merged_count == 4
        assert merged.quote.quote_time.ToDatetime() == NOON.replace(tzinfo=None) + timedelta(seconds=1.25)


async def test_a_stalled_reader_is_given_the_newest_quotes_and_told_of_all_the_others() -> None:
    async with market(sessions="always_open") as rig, rig.narrow() as stub:
        symbols = [instrument.symbol for instrument in await rig.provider.instruments()]
        stalled = stub.StreamQuotes(StreamQuotesRequest(symbols=symbols))
        await data(stalled, len(symbols))
        quick = quotes(rig, *symbols)
        seen = len(await data(quick, len(symbols)))
        for _ in range(60):
            await rig.tick()
            seen += len(await data(quick, len(symbols)))
        assert seen == sum(rig.provider.given.values()) == 61 * len(symbols)

        last = to_timestamp(NOON + timedelta(seconds=15))
        received = dict.fromkeys(symbols, 1)
        behind = set(symbols)
        messages = 0
        while behind:
            (message,) = await data(stalled, 1)
            messages += 1
            received[message.quote.symbol] += 1 + message.quote.merged_count
            if message.quote.quote_time == last:
                behind.discard(message.quote.symbol)
        assert received == rig.provider.given
        assert messages < 60 * len(symbols) / 2


async def test_many_readers_of_a_symbol_share_one_subscription_which_ends_with_the_last() -> None:
    async with market() as rig:
        streams = [quotes(rig, "AAPL") for _ in range(100)]
        for stream in streams:
            await data(stream, 1)
        await rig.tick()
        changed = [(await data(stream, 1))[0] for stream in streams]
        assert len({message.SerializeToString() for message in changed}) == 1
        assert (rig.provider.opened, rig.provider.running) == (1, 1)
        for stream in streams[1:]:
            stream.cancel()
        await rig.until(lambda: rig.lifecycle.under_way == 1)
        assert rig.provider.running == 1
        streams[0].cancel()
        await rig.until(lambda: rig.provider.running == 0)


async def test_a_reader_is_told_that_the_upstream_is_live_behind_the_quote_that_is_known() -> None:
    async with market() as rig:
        stream = quotes(rig, "AAPL")
        quote, live = await take(stream, 2)
        assert kinds([quote, live]) == ["quote", "status"]
        assert live.status.state == market_data_stream_pb2.STREAM_STATE_LIVE
        assert (list(live.status.symbols), live.status.provider) == (["AAPL"], "simulated")
        assert live.status.status_time == to_timestamp(FRIDAY_NOON)
        assert not live.status.HasField("gap_start_time")
        assert await take(quotes(rig, "AAPL"), 2) == [quote, live]
        await rig.tick()
        assert kinds(await take(stream, 1)) == ["quote"]


async def test_a_reader_of_what_nobody_trades_is_told_that_the_upstream_is_live_all_the_same() -> None:
    async with market(FRIDAY_NOON + timedelta(days=1)) as rig:
        heartbeat, live = await take(trades(rig, "AAPL"), 2)
        assert kinds([heartbeat, live]) == ["heartbeat", "status"]
        assert live.status.state == market_data_stream_pb2.STREAM_STATE_LIVE


async def test_a_broken_upstream_is_told_on_the_stream_and_so_is_its_return() -> None:
    async with market() as rig:
        stream = quotes(rig, "AAPL")
        await data(stream, 1)
        rig.provider.connected = False
        await rig.tick()
        (lost,) = await data(stream, 1)
        assert lost.status.state == market_data_stream_pb2.STREAM_STATE_RECONNECTING
        assert (list(lost.status.symbols), lost.status.provider) == (["AAPL"], "simulated")
        assert not lost.status.HasField("gap_start_time")
        rig.provider.connected = True
        await rig.tick(4)
        found = kinds(messages := await data(stream, 3))
        back = messages[found.index("status")].status
        assert back.state == market_data_stream_pb2.STREAM_STATE_RESUBSCRIBED
        assert back.gap_start_time == lost.status.status_time
        assert back.gap_end_time == back.status_time
        assert "quote" in found


# -- the end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("open_stream", [quotes, trades, bars], ids=["quotes", "trades", "bars"])
async def test_a_shutdown_says_goodbye_with_the_count_and_ends_with_ok(open_stream: Any) -> None:
    async with market() as rig:
        stream = open_stream(rig, "AAPL")
        first = await data(stream, 1)
        await rig.stop()
        (goodbye,) = await rest_of_data(stream)
        assert goodbye.WhichOneof("message") == "goodbye"
        assert goodbye.goodbye.sequence == kinds(first).count("quote")
        assert await within(stream.code()) is grpc.StatusCode.OK
        refused = await refusal(open_stream(rig, "AAPL"))
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVER_STOPPING")


async def test_a_stalled_reader_does_not_hold_up_the_shutdown_of_the_others() -> None:
    async with market(sessions="always_open") as rig, rig.narrow() as stub:
        symbols = [instrument.symbol for instrument in await rig.provider.instruments()]
        stalled = stub.StreamQuotes(StreamQuotesRequest(symbols=symbols))
        await data(stalled, 1)
        quick = quotes(rig, *symbols)
        await data(quick, len(symbols))
        for _ in range(60):
            await rig.tick()
            await data(quick, len(symbols))
        rig.lifecycle.stop()
        assert kinds(await rest_of_data(quick)) == ["goodbye"]
        assert rig.lifecycle.under_way == 1
        assert kinds(await rest_of_data(stalled))[-1] == "goodbye"


# -- trades ------------------------------------------------------------------------------------------------


async def test_each_trade_from_now_on_comes_once_and_in_order() -> None:
    async with market() as rig:
        stream = trades(rig, "AAPL", "MSFT", heartbeat_interval=SOON)
        await data(stream, 1)
        rig.clock.advance(120)
        messages, count = await until_silent(stream)
        assert count == len(messages)
        for symbol in ("AAPL", "MSFT"):
            ids = ids_of(messages, symbol)
            assert ids == sorted(set(ids))
            times = [message.trade.trade_time.ToDatetime() for message in messages if message.trade.symbol == symbol]
            assert min(times) > FRIDAY_NOON.replace(tzinfo=None)
            last = (NOON + MINUTE).replace(tzinfo=None)
            request = BarRequest(symbol, BarInterval.MINUTE_1, NOON + MINUTE, NOON + 2 * MINUTE, 1)
            (bar,) = (await rig.provider.bars(request)).bars
            assert sum(last <= time < last + MINUTE for time in times) == bar.trade_count


async def test_a_reader_of_trades_that_stays_behind_is_told_so_and_the_others_get_them_all() -> None:
    async with market(sessions="always_open") as rig, rig.narrow() as stub:
        symbols = [instrument.symbol for instrument in await rig.provider.instruments()]
        stalled = stub.StreamTrades(StreamTradesRequest(symbols=symbols))
        quick = trades(rig, *symbols, heartbeat_interval=SOON)
        await within(stalled.initial_metadata())
        await data(quick, 1)
        seen: list[Any] = []
        while len(seen) < 15_000:
            rig.clock.advance(60)
            messages, count = await until_silent(quick)
            seen += messages
            assert count == len(seen)

        got: list[Any] = []

        async def read_on() -> None:
            async for message in stalled:
                got.append(message)  # noqa: PERF401  # what came before the refusal counts

        refused = await refusal(read_on())
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_READER")
        assert "subscribe again" in refused.status.message
        assert 0 < len(got) < len(seen)
        for symbol in symbols:
            ids = ids_of(got, symbol)
            assert ids == ids_of(seen, symbol)[: len(ids)]


# -- bars --------------------------------------------------------------------------------------------------


async def test_a_bar_comes_when_it_is_complete_and_not_before() -> None:
    async with market() as rig:
        stream = bars(rig, "AAPL", "MSFT", heartbeat_interval=SOON)
        assert kinds(await data(stream, 1)) == ["heartbeat"]
        rig.clock.advance(59)
        assert await until_silent(stream) == ([], 0)
        for number in range(3):
            rig.clock.advance(60)
            messages, count = await until_silent(stream)
            assert {message.bar.symbol for message in messages} == {"AAPL", "MSFT"}
            assert opens(messages) == [number, number]
            assert not any(message.bar.partial for message in messages)
            assert count == 2 * (number + 1)


async def test_from_a_start_time_past_bars_come_first_and_live_ones_follow_without_a_gap() -> None:
    async with market() as rig:
        start = to_timestamp(NOON - 700 * MINUTE)
        stream = bars(rig, "AAPL", "MSFT", start_time=start, heartbeat_interval=SOON)
        assert kinds(await data(stream, 1)) == ["heartbeat"]
        past, count = await until_silent(stream)
        assert count == len(past)
        rig.clock.advance(60)
        live, _ = await until_silent(stream)
        for symbol in ("AAPL", "MSFT"):
            got = [message.bar.open_time for message in (*past, *live) if message.bar.symbol == symbol]
            request = BarRequest(symbol, BarInterval.MINUTE_1, start.ToDatetime(UTC), NOON + MINUTE, 1_000)
            listed = (await rig.provider.bars(request)).bars
            assert got == [to_timestamp(bar.open_time) for bar in listed]
            assert len(got) > 150


async def test_a_start_time_in_the_future_leaves_out_the_bars_before_it() -> None:
    async with market() as rig:
        stream = bars(rig, "AAPL", start_time=to_timestamp(NOON + 2 * MINUTE), heartbeat_interval=SOON)
        await data(stream, 1)
        for _ in range(4):
            rig.clock.advance(60)
            await rig.tick()
        messages, _ = await until_silent(stream)
        assert opens(messages) == [2, 3]


async def test_the_running_bar_is_sent_as_it_changes_when_that_was_asked_for() -> None:
    async with market() as rig:
        stream = bars(rig, "AAPL", include_partial=True, heartbeat_interval=SOON)
        await data(stream, 1)
        await rig.tick(8)
        running, _ = await until_silent(stream)
        assert running
        assert {message.bar.partial for message in running} == {True}
        assert len({message.SerializeToString() for message in running}) == len(running)
        rig.clock.advance(60)
        messages, _ = await until_silent(stream)
        complete = [message.bar.partial for message in messages].index(False)
        assert opens([messages[complete]]) == [0]
        assert all(message.bar.partial and opens([message]) == [1] for message in messages[complete + 1 :])


async def test_bars_that_the_provider_cannot_make_are_refused() -> None:
    async with market() as rig:
        refused = await refusal(bars(rig, "AAPL", adjustment=bar_pb2.PRICE_ADJUSTMENT_SPLITS))
        assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_NOT_CAPABLE")


async def until_silent(stream: Any) -> tuple[list[Any], int]:
    """All messages up to the next heartbeat, and the count that it carries."""
    messages: list[Any] = []
    while True:
        (message,) = await data(stream, 1)
        if message.WhichOneof("message") == "heartbeat":
            return messages, message.heartbeat.sequence
        messages.append(message)


def ids_of(messages: list[Any], symbol: str) -> list[int]:
    return [int(message.trade.trade_id) for message in messages if message.trade.symbol == symbol]
