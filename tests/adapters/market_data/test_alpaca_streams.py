"""Alpaca's live data over the real SDK and a real socket: what comes, to whom, and over how many connections."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.errors import PreconditionFailed, Unavailable
from domain.market_data.bar import BarInterval
from domain.market_data.quote import OrderBook, PriceLevel, Quote, TopOfBook
from domain.trading.value_objects.order_type import Side
from tests.support.live_items import only_items
from tests.support.vendors.alpaca_data import frame_time, stamp
from tests.support.vendors.alpaca_provider import NOW, Alpaca, alpaca
from tests.support.vendors.alpaca_stream import AT, Reader, bar, quote, trade


@pytest.fixture
async def market() -> AsyncIterator[Alpaca]:
    async with alpaca() as market:
        yield market


async def test_quotes_of_stocks_and_crypto_come_on_one_iterator(market: Alpaca) -> None:
    reader = Reader(market.provider.quotes(["AAPL", "BTC/USD"]))
    await market.server.until_subscribed("stocks", "quotes", "AAPL")
    await market.server.until_subscribed("crypto", "quotes", "BTC/USD")

    await market.server.push("stocks", quote("AAPL"), quote("MSFT"))
    await market.server.until(lambda: len(reader.items) == 1)
    await market.server.push("crypto", quote("BTC/USD"))
    await market.server.until(lambda: len(reader.items) == 2)

    assert reader.items == [
        Quote("AAPL", Decimal("10.5"), Decimal(200), Decimal("10.75"), Decimal(300), AT),
        Quote("BTC/USD", Decimal("10.5"), Decimal(2), Decimal("10.75"), Decimal(3), AT),
    ]
    await reader.stop()


async def test_each_trade_comes_once_and_in_order_with_an_id_of_its_own(market: Alpaca) -> None:
    reader = Reader(market.provider.trades(["AAPL"]))
    await market.server.until_subscribed("stocks", "trades", "AAPL")

    await market.server.push("stocks", *(trade("AAPL", number) for number in range(500)))
    for number in range(500, 600):
        await market.server.push("stocks", trade("AAPL", number))
    await market.server.until(lambda: len(reader.items) == 600)

    assert [one.trade_id for one in reader.items] == [f"20240103-V-{number}" for number in range(600)]
    first = reader.items[0]
    assert (first.price, first.size, first.trade_time) == (Decimal("10.5"), Decimal(100), AT)
    assert first.conditions == ("@", "I")
    await reader.stop()


async def test_the_side_that_took_the_liquidity_is_told_where_the_vendor_knows_it(market: Alpaca) -> None:
    reader = Reader(market.provider.trades(["BTC/USD"]))
    await market.server.until_subscribed("crypto", "trades", "BTC/USD")
    sides: tuple[dict[str, Any], ...] = ({"tks": "B"}, {"tks": "S"}, {"tks": "?"}, {})
    await market.server.push("crypto", *(trade("BTC/USD", number, **side) for number, side in enumerate(sides)))
    await market.server.until(lambda: len(reader.items) == 4)
    assert [one.aggressor for one in reader.items] == [Side.BUY, Side.SELL, None, None]
    await reader.stop()


async def test_minutes_come_when_they_are_over_whatever_the_clock_here_says(market: Alpaca) -> None:
    reader = Reader(market.provider.live_bars(["AAPL", "BTC/USD"], BarInterval.MINUTE_1))
    await market.server.until_subscribed("stocks", "bars", "AAPL")
    await market.server.until_subscribed("crypto", "bars", "BTC/USD")
    ahead, before_the_session = NOW + timedelta(days=1, hours=-2), AT - timedelta(hours=3)

    await market.server.push("stocks", bar("AAPL", before_the_session), bar("AAPL", AT), bar("AAPL", ahead))
    await market.server.push("crypto", bar("BTC/USD", AT, v=0, n=0), bar("BTC/USD", ahead))
    await market.server.until(lambda: len(reader.items) == 3)

    found = sorted(reader.items, key=lambda one: (one.symbol, one.open_time))
    assert [(one.symbol, one.open_time, one.partial) for one in found] == [
        ("AAPL", AT, False),
        ("AAPL", ahead, False),
        ("BTC/USD", ahead, False),
    ]
    assert (found[0].high, found[0].close_time) == (Decimal("100.05"), AT + timedelta(minutes=1))
    await reader.stop()


async def test_only_minutes_are_streamed(market: Alpaca) -> None:
    with pytest.raises(PreconditionFailed, match="1m only"):
        market.provider.live_bars(["AAPL"], BarInterval.HOUR_1)


async def test_a_book_is_kept_up_from_its_changes(market: Alpaca) -> None:
    market.server.books["BTC/USD"] = {
        "t": stamp(AT),
        "b": [{"p": 10, "s": 1}, {"p": 9, "s": 2}],
        "a": [{"p": 11, "s": 3}],
    }
    reader = Reader(market.provider.order_books("BTC/USD", 2))
    await market.server.until(lambda: len(reader.items) == 1)
    later = AT + timedelta(seconds=1)

    changes = {"b": [{"p": 9, "s": 0}, {"p": 9.5, "s": 4}], "a": [{"p": 11, "s": 5}, {"p": 12, "s": 1}]}
    await market.server.push("crypto", {"T": "o", "S": "BTC/USD", "t": frame_time(later), **changes})
    await market.server.until(lambda: len(reader.items) == 2)

    def levels(*pairs: tuple[str, int]) -> tuple[PriceLevel, ...]:
        return tuple(PriceLevel(Decimal(price), Decimal(size)) for price, size in pairs)

    assert reader.items == [
        OrderBook("BTC/USD", levels(("10", 1), ("9", 2)), levels(("11", 3)), AT),
        OrderBook("BTC/USD", levels(("10", 1), ("9.5", 4)), levels(("11", 5), ("12", 1)), later),
    ]
    await reader.stop()


async def test_a_change_of_a_book_that_makes_no_sense_ends_its_readers(market: Alpaca) -> None:
    market.server.books["BTC/USD"] = {"t": stamp(AT), "b": [{"p": 10, "s": 1}], "a": [{"p": 11, "s": 3}]}
    reader = Reader(market.provider.order_books("BTC/USD", 2))
    await market.server.until(lambda: len(reader.items) == 1)

    await market.server.push("crypto", {"T": "o", "S": "BTC/USD", "t": frame_time(AT), "b": [{"p": "x"}], "a": []})
    await market.server.until(reader.task.done)

    assert isinstance(reader.error, Unavailable)


async def test_a_quote_or_a_trade_that_makes_no_sense_is_left_out(market: Alpaca) -> None:
    quotes, trades = Reader(market.provider.quotes(["AAPL"])), Reader(market.provider.trades(["AAPL"]))
    await market.server.until_subscribed("stocks", "quotes", "AAPL")
    await market.server.until_subscribed("stocks", "trades", "AAPL")

    broken_quotes = ({"bp": float("nan")}, {"bp": 11}, {"as": "3 lots"}, {"t": "noon"}, {"t": 5}, {"bp": None})
    broken_trades = ({"p": 0}, {"s": 0}, {"p": "x"}, {"s": float("inf")}, {"t": None}, {"p": True})
    await market.server.push("stocks", *(quote("AAPL", **broken) for broken in broken_quotes))
    await market.server.push("stocks", *(trade("AAPL", 1, **broken) for broken in broken_trades))
    await market.server.push("stocks", quote("AAPL", bp=0, bs=0), trade("AAPL", 2, i="two", c=None))
    await market.server.until(lambda: bool(quotes.items) and bool(trades.items))

    assert quotes.items == [TopOfBook("AAPL", None, None, Decimal("10.75"), Decimal(300), AT)]
    assert [(one.trade_id, one.conditions) for one in trades.items] == [("", ())]
    await quotes.stop()
    await trades.stop()


async def test_many_readers_share_one_connection_and_one_subscription(market: Alpaca) -> None:
    symbols = [f"S{number}" for number in range(25)]
    readers = [Reader(market.provider.quotes([symbol])) for symbol in symbols for _ in range(4)]
    await market.server.until_subscribed("stocks", "quotes", *symbols)

    assert market.server.connections == 1
    assert market.server.sessions["stocks"][0].subscribe_messages == 1
    await market.server.push("stocks", *(quote(symbol) for symbol in symbols))
    await market.server.until(lambda: all(reader.items for reader in readers))
    for reader in readers:
        await reader.stop()


async def test_subscriptions_come_and_go_while_the_stream_runs_and_the_last_closes_it(market: Alpaca) -> None:
    first = Reader(market.provider.quotes(["AAPL"]))
    await market.server.until_subscribed("stocks", "quotes", "AAPL")
    second, third = Reader(market.provider.quotes(["MSFT"])), Reader(market.provider.trades(["MSFT"]))
    await market.server.until_subscribed("stocks", "quotes", "AAPL", "MSFT")
    await market.server.until_subscribed("stocks", "trades", "MSFT")
    await first.stop()
    await market.server.until_subscribed("stocks", "quotes", "MSFT")
    await market.server.push("stocks", quote("MSFT"), quote("AAPL"))
    await market.server.until(lambda: bool(second.items))
    assert market.server.connections == 1

    await second.stop()
    await third.stop()
    await market.server.until(lambda: not market.server.sessions["stocks"])

    again = Reader(market.provider.quotes(["AAPL"]))
    await market.server.until_subscribed("stocks", "quotes", "AAPL")
    assert market.server.connections == 2
    await again.stop()


async def test_the_feed_is_in_the_address_also_where_the_sdk_does_not_know_it() -> None:
    async with alpaca(feed="delayed_sip") as market:
        reader = Reader(market.provider.quotes(["AAPL"]))
        await market.server.until_subscribed("stocks", "quotes", "AAPL")
        assert market.server.sessions["stocks"][0].path == "/v2/delayed_sip"
        await reader.stop()


async def test_what_the_vendor_has_confirmed_is_said_before_anything_comes_and_to_later_readers_too(
    market: Alpaca,
) -> None:
    quotes, books = (
        Reader(market.provider.quotes(["AAPL", "BTC/USD"])),
        Reader(market.provider.order_books("BTC/USD", 1)),
    )
    await market.server.until(lambda: len(quotes.subscribed) == 2 and books.subscribed == ["BTC/USD"])
    assert set(quotes.subscribed) == {"AAPL", "BTC/USD"}
    late, other = Reader(market.provider.quotes(["AAPL"])), Reader(market.provider.trades(["AAPL"]))
    await market.server.until(lambda: late.subscribed == other.subscribed == ["AAPL"])
    for reader in (late, other):
        await reader.stop()
    back = Reader(market.provider.trades(["AAPL"]))
    await market.server.until(lambda: back.subscribed == ["AAPL"])
    for reader in (quotes, books, back):
        assert reader.items == []
        await reader.stop()


async def test_a_slow_reader_sees_the_newest_quote_and_every_trade(market: Alpaca) -> None:
    quotes, trades = only_items(market.provider.quotes(["AAPL"])), only_items(market.provider.trades(["AAPL"]))
    first = asyncio.gather(anext(quotes), anext(trades))
    await market.server.until_subscribed("stocks", "quotes", "AAPL")
    await market.server.until_subscribed("stocks", "trades", "AAPL")
    await market.server.push("stocks", quote("AAPL"), trade("AAPL", 0))
    await first
    watcher = Reader(market.provider.trades(["AAPL"]))
    await asyncio.sleep(0)

    for number in range(1, 51):
        await market.server.push("stocks", quote("AAPL", ap=11 + number), trade("AAPL", number))
    await market.server.until(lambda: len(watcher.items) == 50)

    assert (await anext(quotes)).ask_price == 61
    assert [(await anext(trades)).trade_id for _ in range(50)] == [one.trade_id for one in watcher.items]
    await quotes.aclose()
    await trades.aclose()
    await watcher.stop()
