"""Streams of the ccxt provider over ccxt.pro's own sockets, and what becomes of them when a socket breaks."""

import asyncio
import json
from contextlib import aclosing
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from domain.errors import PreconditionFailed, Unavailable
from domain.market_data.bar import BarInterval
from domain.market_data.quote import Quote, TopOfBook
from domain.trading.value_objects.order_type import Side
from tests.support.ccxt_rig import MINUTE, NOW, Rig, ccxt_rig, eventually, expected, minute, values
from tests.support.vendors.binance import DEPTH, KLINES
from tests.support.vendors.binance_data import candle, milliseconds

D = Decimal
QUOTES, TRADES, BOOK, BARS = "btcusdt@bookTicker", "btcusdt@trade", "btcusdt@depth@100ms", "btcusdt@kline_1m"


# -- quotes ------------------------------------------------------------------------------------------------


async def test_quotes_come_as_they_change_and_are_stamped_at_their_receipt() -> None:
    async with ccxt_rig() as rig, aclosing(await rig.reading(rig.market.quotes(["BTC/USDT"]), QUOTES)) as quotes:
        await rig.binance.push_quote("BTCUSDT", "100.5", "2", "100.6", "3")
        assert await anext(quotes) == Quote("BTC/USDT", D("100.5"), D(2), D("100.6"), D(3), NOW)
        rig.clock.advance(1)
        await rig.binance.push_quote("BTCUSDT", "100.4", "0.00001", "100.6", "3")
        assert (await anext(quotes)).quote_time == NOW + timedelta(seconds=1)


async def test_of_a_burst_the_newest_quote_is_the_last_word() -> None:
    async with ccxt_rig() as rig, aclosing(await rig.reading(rig.market.quotes(["BTC/USDT"]), QUOTES)) as quotes:
        for price in range(1, 51):
            await rig.binance.push_quote("BTCUSDT", f"{price}", "1", "100", "1")
        last = await anext(quotes)
        while last.bid_price != 50:
            last = await anext(quotes)
        assert quotes.empty()


async def test_broken_quotes_are_left_out_and_empty_sides_are_absent() -> None:
    async with ccxt_rig() as rig, aclosing(await rig.reading(rig.market.quotes(["BTC/USDT"]), QUOTES)) as quotes:
        for bid, ask in (("NaN", "100"), ("-1", "100"), ("101", "100"), ("0.0", "0.0")):
            await rig.binance.push_quote("BTCUSDT", bid, "1", ask, "1")
            await asyncio.sleep(0.01)
        await rig.binance.push_quote("BTCUSDT", "0.00000000", "0.00000000", "100", "1")
        assert await anext(quotes) == TopOfBook("BTC/USDT", None, None, D(100), D(1), NOW)


async def test_one_iterator_can_read_several_symbols_and_two_share_one_subscription() -> None:
    async with ccxt_rig() as rig:
        both = await rig.reading(rig.market.quotes(["BTC/USDT", "ETH/USDT", "DOGE/USDT"]), QUOTES, "ethusdt@bookTicker")
        one = await rig.reading(rig.market.quotes(["BTC/USDT"]), QUOTES)
        async with aclosing(both), aclosing(one):
            await asyncio.sleep(0.05)
            await rig.binance.push_quote("ETHUSDT", "7", "1", "8", "1")
            await rig.binance.push_quote("BTCUSDT", "9", "1", "10", "1")
            assert {(await anext(both)).symbol, (await anext(both)).symbol} == {"BTC/USDT", "ETH/USDT"}
            assert (await anext(one)).bid_price == 9
            assert rig.binance.subscribed[QUOTES] == 1


async def test_a_stream_of_unknown_symbols_ends() -> None:
    async with ccxt_rig() as rig:
        assert [one async for one in rig.market.quotes(["DOGE/USDT"])] == []
        assert [one async for one in rig.market.order_books("DOGE/USDT", 5)] == []
        assert rig.binance.sockets == 0


# -- trades ------------------------------------------------------------------------------------------------


async def test_every_trade_comes_once_in_the_order_of_time() -> None:
    async with ccxt_rig() as rig, aclosing(await rig.reading(rig.market.trades(["BTC/USDT"]), TRADES)) as trades:
        for number in range(6_000):
            at = NOW + timedelta(milliseconds=number)
            await rig.binance.push_trade("BTCUSDT", number, "150.10", "0.5", at)
        got = [await anext(trades) for _ in range(6_000)]
    assert [trade.trade_id for trade in got] == [str(number) for number in range(6_000)]
    assert [trade.trade_time for trade in got] == [NOW + timedelta(milliseconds=number) for number in range(6_000)]
    assert {(trade.price, trade.size, trade.aggressor) for trade in got} == {(D("150.1"), D("0.5"), Side.SELL)}


async def test_trades_that_make_no_sense_are_left_out() -> None:
    async with ccxt_rig() as rig, aclosing(await rig.reading(rig.market.trades(["BTC/USDT"]), TRADES)) as trades:
        for price, size in (("NaN", "1"), (None, "1"), ("1", "0"), ("1", "-2"), ("x", "1"), ("1", None)):
            await rig.binance.push_trade("BTCUSDT", 1, price, size, NOW)
        await rig.binance.push_trade("BTCUSDT", 2, "1", "1", NOW)
        assert (await anext(trades)).trade_id == "2"


async def test_trades_of_the_past_with_which_a_stream_begins_are_not_news() -> None:
    async with ccxt_rig() as rig, aclosing(await rig.reading(rig.market.trades(["BTC/USDT"]), TRADES)) as trades:
        await rig.binance.push_trade("BTCUSDT", 1, "1", "1", NOW - MINUTE)
        await asyncio.sleep(0.05)
        await rig.binance.push_trade("BTCUSDT", 2, "1", "1", NOW)
        assert (await anext(trades)).trade_id == "2"


# -- books -------------------------------------------------------------------------------------------------


async def test_a_book_is_the_snapshot_and_then_follows_the_changes() -> None:
    async with ccxt_rig() as rig, aclosing(await rig.reading(rig.market.order_books("BTC/USDT", 2), BOOK)) as books:
        first = await anext(books)
        assert [level.price for level in first.bids] == [D(150), D("149.9")]
        assert first.book_time == NOW
        rig.clock.advance(2)
        await rig.binance.push_depth("BTCUSDT", bids=[("150.1", "9"), ("150.0", "0")], asks=[("150.5", "0")])
        book = await anext(books)
        assert [(level.price, level.size) for level in book.bids] == [(D("150.1"), D(9)), (D("149.9"), D(2))]
        assert [level.price for level in book.asks] == [D("150.6"), D("150.7")]
        assert book.book_time == NOW + timedelta(seconds=2)


async def test_a_gap_in_the_changes_breaks_the_stream_and_the_next_one_is_right_again() -> None:
    async with ccxt_rig() as rig:
        async with aclosing(await rig.reading(rig.market.order_books("BTC/USDT", 1), BOOK)) as books:
            await anext(books)
            await rig.binance.push_depth("BTCUSDT", bids=[("150.1", "9")])
            await anext(books)
            await rig.binance.push_depth("BTCUSDT", bids=[("150.2", "9")], skipped=3)
            with pytest.raises(Unavailable, match="missing"):
                await anext(books)
        rig.binance.books["BTCUSDT"]["bids"].insert(0, ["150.30000000", "4.00000000"])
        async with aclosing(await rig.reading(rig.market.order_books("BTC/USDT", 1), BOOK)) as books:
            assert (await anext(books)).bids[0].price == D("150.3")


async def test_a_snapshot_that_does_not_come_breaks_the_stream() -> None:
    async with ccxt_rig() as rig:
        await rig.market.instruments()
        rig.binance.answer(DEPTH, 200, "<html>")
        async with aclosing(await rig.reading(rig.market.order_books("BTC/USDT", 1), BOOK)) as books:
            with pytest.raises(Unavailable):
                await anext(books)


async def test_readers_of_a_book_get_as_many_levels_as_each_asked_for() -> None:
    async with ccxt_rig() as rig:
        few = await rig.reading(rig.market.order_books("BTC/USDT", 1), BOOK)
        many = await rig.reading(rig.market.order_books("BTC/USDT", 20), BOOK)
        async with aclosing(few), aclosing(many):
            await anext(few)
            await asyncio.sleep(0.05)
            await rig.binance.push_depth("BTCUSDT", asks=[("150.4", "1")])
            assert (len((await anext(few)).asks), len((await anext(many)).asks)) == (1, 20)


# -- bars --------------------------------------------------------------------------------------------------

OPENS = NOW.replace(second=0)


async def test_a_bar_comes_when_the_next_one_begins() -> None:
    async with ccxt_rig() as rig:
        bars = await rig.reading(rig.market.live_bars(["BTC/USDT"], BarInterval.MINUTE_1), BARS)
        async with aclosing(bars):
            await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS)._replace(close="105.0"))
            await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS), closed=True)
            await asyncio.sleep(0.05)
            assert bars.empty()
            await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS + MINUTE))
            bar = await anext(bars)
            assert values(bar) == expected(OPENS, minute(OPENS))
            assert (bar.close_time, bar.partial) == (OPENS + MINUTE, False)


async def test_old_quiet_and_repeated_candles_are_no_bars() -> None:
    async with ccxt_rig() as rig:
        bars = await rig.reading(rig.market.live_bars(["BTC/USDT"], BarInterval.MINUTE_1), BARS)
        async with aclosing(bars):
            flat = minute(OPENS + MINUTE)
            flat = flat._replace(open=flat.close, high=flat.close, low=flat.close, volume="0.0", trades=0)
            for one in (minute(OPENS - MINUTE), minute(OPENS), minute(OPENS), flat, minute(OPENS), flat):
                await rig.binance.push_kline("BTCUSDT", "1m", one)
                await asyncio.sleep(0.01)
            await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS + 2 * MINUTE))
            await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS + 3 * MINUTE))
            assert [(await anext(bars)).open_time, (await anext(bars)).open_time] == [OPENS, OPENS + 2 * MINUTE]


async def test_the_bar_of_a_market_that_falls_silent_is_asked_for() -> None:
    async with ccxt_rig() as rig:
        bars = await rig.reading(rig.market.live_bars(["BTC/USDT"], BarInterval.MINUTE_1), BARS)
        async with aclosing(bars):
            rig.clock.advance(34.9)
            await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS)._replace(close="105.0"))
            await asyncio.sleep(0.05)
            rig.clock.advance(0.1)
            bar = await anext(bars)
            assert values(bar) == expected(OPENS, minute(OPENS))
            assert rig.binance.requests[KLINES] == 1
            await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS + MINUTE))
            await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS + 2 * MINUTE))
            assert (await anext(bars)).open_time == OPENS + MINUTE


async def test_a_broken_candle_breaks_the_stream_so_that_its_bar_is_read_otherwise() -> None:
    async with ccxt_rig() as rig:
        bars = await rig.reading(rig.market.live_bars(["BTC/USDT"], BarInterval.MINUTE_1), BARS)
        async with aclosing(bars):
            await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS)._replace(high="NaN"))
            await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS + MINUTE))
            with pytest.raises(Unavailable):
                await anext(bars)


async def test_a_new_stream_does_not_complete_what_the_broken_one_saw() -> None:
    async with ccxt_rig(linger_seconds=5) as rig:
        bars = await rig.reading(rig.market.live_bars(["BTC/USDT"], BarInterval.MINUTE_1), BARS)
        async with aclosing(bars):
            await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS)._replace(close="105.0"))
            await asyncio.sleep(0.05)
            rig.binance.drop()
            with pytest.raises(Unavailable):
                await anext(bars)
        await eventually(lambda: rig.binance.sockets == 0)
        bars = await rig.reading(rig.market.live_bars(["BTC/USDT"], BarInterval.MINUTE_1), BARS)
        async with aclosing(bars):
            for number in (1, 2):
                await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS + number * MINUTE))
            assert (await anext(bars)).open_time == OPENS + MINUTE


async def test_days_of_another_time_zone_are_no_live_bars() -> None:
    async with ccxt_rig() as rig:
        name = "btcusdt@kline_1d"
        async with aclosing(await rig.reading(rig.market.live_bars(["BTC/USDT"], BarInterval.DAY_1), name)) as bars:
            day = candle("BTCUSDT", "1d", milliseconds(NOW.replace(hour=16, minute=0, second=0)))
            await rig.binance.push_kline("BTCUSDT", "1d", day)
            with pytest.raises(PreconditionFailed) as raised:
                await anext(bars)
    assert raised.value.reason == "PROVIDER_NOT_CAPABLE"


# -- sockets -----------------------------------------------------------------------------------------------


async def test_the_first_frame_of_a_subscription_proves_it_even_without_an_item() -> None:
    async with ccxt_rig() as rig:
        bars = await rig.reading(rig.market.live_bars(["BTC/USDT"], BarInterval.MINUTE_1), BARS)
        assert bars.subscribed == []
        await rig.binance.push_kline("BTCUSDT", "1m", minute(OPENS))
        await eventually(lambda: bars.subscribed == ["BTC/USDT"])
        late = await rig.reading(rig.market.live_bars(["BTC/USDT"], BarInterval.MINUTE_1), BARS)
        await eventually(lambda: late.subscribed == ["BTC/USDT"])
        for reader in (bars, late):
            assert reader.empty()
            await reader.aclose()


async def _all_four(rig: Rig) -> list[Any]:
    return [
        await rig.reading(rig.market.quotes(["BTC/USDT"]), QUOTES),
        await rig.reading(rig.market.trades(["BTC/USDT"]), TRADES),
        await rig.reading(rig.market.live_bars(["BTC/USDT"], BarInterval.MINUTE_1), BARS),
        await rig.reading(rig.market.order_books("BTC/USDT", 1), BOOK),
    ]


@pytest.mark.parametrize("how", ["drop", "bid_farewell"])
async def test_a_socket_that_goes_ends_all_streams_on_it_and_new_ones_work(how: str) -> None:
    async with ccxt_rig() as rig:
        readers = await _all_four(rig)
        await anext(readers[3])
        gone = getattr(rig.binance, how)()
        if gone is not None:
            await gone
        for reader in readers:
            with pytest.raises(Unavailable):
                await anext(reader)
            await reader.aclose()
        await eventually(lambda: rig.binance.sockets == 0)
        readers = await _all_four(rig)
        await rig.binance.push_quote("BTCUSDT", "1", "1", "2", "1")
        await rig.binance.push_trade("BTCUSDT", 1, "1", "1", NOW)
        assert (await anext(readers[0])).bid_price == 1
        assert (await anext(readers[1])).price == 1
        for reader in readers:
            await reader.aclose()


async def test_a_mute_socket_is_noticed() -> None:
    async with ccxt_rig(stream_silence_seconds=0.6) as rig:
        quotes = await rig.reading(rig.market.quotes(["BTC/USDT"]), QUOTES)
        await asyncio.sleep(0.8)  # pongs are signs of life
        assert quotes.empty()
        rig.binance.mute.set()
        with pytest.raises(Unavailable):
            await anext(quotes)


async def test_frames_that_make_no_sense_are_left_out() -> None:
    async with ccxt_rig() as rig, aclosing(await rig.reading(rig.market.trades(["BTC/USDT"]), TRADES)) as trades:
        for frame in ("hello", "[]", '"x"', "17", '{"e": "trade"}', '{"e": "kline", "k": 3}', "[3]", "{}"):
            await rig.binance.push(TRADES, frame)
        await rig.binance.push_trade("BTCUSDT", 2, "1", "1", NOW)
        assert (await anext(trades)).trade_id == "2"


async def test_after_half_a_frame_the_silence_is_noticed() -> None:
    """ccxt stops to read from the socket."""
    async with ccxt_rig(stream_silence_seconds=0.3) as rig:
        trades = await rig.reading(rig.market.trades(["BTC/USDT"]), TRADES)
        await rig.binance.push(TRADES, '{"e": "trade", "s"')
        await rig.binance.push_trade("BTCUSDT", 2, "1", "1", NOW)
        with pytest.raises(Unavailable):
            await anext(trades)


async def test_an_exchange_that_takes_no_sockets_is_unavailable() -> None:
    async with ccxt_rig() as rig:
        rig.binance.refuses_sockets = True
        with pytest.raises(Unavailable):
            await anext(rig.market.quotes(["BTC/USDT"]))


async def test_a_subscription_ends_with_its_last_reader_and_the_sockets_with_the_last_subscription() -> None:
    async with ccxt_rig() as rig:
        quotes, trades, bars, books = await _all_four(rig)
        for reader, left in ((trades, 3), (bars, 2), (books, 1)):
            await reader.aclose()
            await eventually(partial(_subscriptions, rig, left))
        assert rig.binance.streams() == [QUOTES]
        await quotes.aclose()
        await eventually(lambda: rig.binance.sockets == 0)


def _subscriptions(rig: Rig, number: int) -> bool:
    return len(rig.binance.streams()) == number


async def test_a_stream_that_cannot_be_unsubscribed_is_read_again_when_it_is_wanted_again() -> None:
    async with ccxt_rig() as rig:
        trades = await rig.reading(rig.market.trades(["ETH/USDT"]), "ethusdt@trade")
        quotes = await rig.reading(rig.market.quotes(["BTC/USDT"]), QUOTES)
        await quotes.aclose()
        await asyncio.sleep(0.2)
        assert QUOTES in rig.binance.streams()
        quotes = await rig.reading(rig.market.quotes(["BTC/USDT"]), QUOTES)
        await asyncio.sleep(0.05)
        await rig.binance.push_quote("BTCUSDT", "1", "1", "2", "1")
        assert (await anext(quotes)).bid_price == 1
        assert rig.binance.subscribed[QUOTES] == 1
        await quotes.aclose()
        await trades.aclose()
        await eventually(lambda: rig.binance.sockets == 0)


async def test_a_reader_that_comes_while_the_subscription_ends_is_served() -> None:
    async with ccxt_rig(linger_seconds=0) as rig:
        for number in range(5):
            trades = await rig.reading(rig.market.trades(["BTC/USDT"]))
            await eventually(lambda: TRADES in rig.binance.streams())
            await asyncio.sleep(0.01 * number)
            await trades.aclose()
            await asyncio.sleep(0.003 * number)
        async with aclosing(await rig.reading(rig.market.trades(["BTC/USDT"]))) as trades:
            await asyncio.sleep(0.2)
            await eventually(lambda: TRADES in rig.binance.streams())
            await rig.binance.push_trade("BTCUSDT", 7, "1", "1", NOW)
            assert (await anext(trades)).trade_id == "7"


async def test_iterators_end_when_the_provider_closes() -> None:
    async with ccxt_rig() as rig:
        readers = await _all_four(rig)
        await anext(readers[3])
        await rig.market.close()
        for reader in readers:
            with pytest.raises(StopAsyncIteration):
                await anext(reader)
        assert json.dumps(rig.binance.streams()) == "[]"
