"""Polygon's streams over its SDK and a real socket: shared, complete while they last, and honest when they break."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.market_data.polygon_stream import LINGER_SECONDS
from domain.errors import PreconditionFailed, Unavailable
from domain.market_data.bar import BarInterval
from domain.market_data.quote import Quote, TopOfBook
from tests.support.vendors.polygon import Row
from tests.support.vendors.polygon_market import NOW, milliseconds, polygon_market
from tests.support.vendors.polygon_reading import reading, until

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
AT = milliseconds(NOW)


def quote(symbol: str = "AAPL", bid: float = 100, at: int = AT) -> Row:
    return {"ev": "Q", "sym": symbol, "bp": bid, "bs": 100, "ap": bid + 1, "as": 200, "t": at}


def trade(number: int, symbol: str = "AAPL") -> Row:
    return {"ev": "T", "sym": symbol, "i": str(number), "x": 4, "p": 100 + number, "s": 10, "t": AT, "c": [1]}


def minute(opens: datetime, **other: object) -> Row:
    fields: Row = {"ev": "AM", "sym": "AAPL", "o": 10, "h": 12, "l": 9, "c": 11, "v": 50, "vw": 10.5}
    return {**fields, "s": milliseconds(opens), "e": milliseconds(opens + MINUTE), **other}


# -- what comes ---------------------------------------------------------------------------------------------


async def test_what_the_vendor_has_confirmed_is_said_before_anything_comes_and_to_later_readers_too() -> None:
    async with polygon_market() as (polygon, provider, _):
        async with (
            reading(provider.quotes(["AAPL"])) as quotes,
            reading(provider.quotes(["EUR/USD", "BTC/USD"])) as pairs,
            reading(provider.live_bars(["AAPL"], BarInterval.MINUTE_1)) as minutes,
        ):
            await until(lambda: quotes.subscribed == minutes.subscribed == ["AAPL"] and len(pairs.subscribed) == 2)
            assert set(pairs.subscribed) == {"EUR/USD", "BTC/USD"}
            async with reading(provider.quotes(["AAPL"])) as late:
                await until(lambda: late.subscribed == ["AAPL"])
            polygon.drop("stocks")
            assert isinstance(await quotes.next(), Unavailable)
            async with reading(provider.quotes(["AAPL"])) as again:
                await until(lambda: again.subscribed == ["AAPL"])
        assert polygon.connections["stocks"] == 2


async def test_each_market_has_its_socket_and_all_iterators_share_it() -> None:
    async with polygon_market() as (polygon, provider, _):
        async with (
            reading(provider.quotes(["AAPL"])) as first,
            reading(provider.quotes(["AAPL", "MSFT"])) as second,
            reading(provider.trades(["AAPL"])) as trades,
            reading(provider.quotes(["EUR/USD"])) as euro,
            reading(provider.quotes(["BTC/USD"])) as bitcoin,
        ):
            await polygon.until_subscribed("stocks", "Q.AAPL", "Q.MSFT", "T.AAPL")
            await polygon.until_subscribed("forex", "C.EUR-USD")
            await polygon.until_subscribed("crypto", "XQ.BTC-USD")
            await polygon.send("stocks", quote(), trade(1))
            await polygon.send("forex", {"ev": "C", "p": "EUR/USD", "x": 48, "a": 1.1, "b": 1.09, "t": AT})
            await polygon.send(
                "crypto", {"ev": "XQ", "pair": "BTC-USD", "bp": 9, "bs": 1, "ap": 10, "as": 0.5, "t": AT, "x": 1}
            )

            assert (
                await first.next()
                == await second.next()
                == Quote("AAPL", Decimal(100), Decimal(100), Decimal(101), Decimal(200), NOW)
            )
            assert (await trades.next()).trade_id == "4-1"
            assert await euro.next() == TopOfBook("EUR/USD", Decimal("1.09"), None, Decimal("1.1"), None, NOW)
            assert (await bitcoin.next()).ask_size == Decimal("0.5")
        assert polygon.connections == {"stocks": 1, "forex": 1, "crypto": 1}


async def test_one_iterator_reads_several_markets() -> None:
    async with (
        polygon_market() as (polygon, provider, _),
        reading(provider.quotes(["AAPL", "EUR/USD", "no such"])) as quotes,
    ):
        await polygon.until_subscribed("stocks", "Q.AAPL")
        await polygon.until_subscribed("forex", "C.EUR-USD")
        await polygon.send("stocks", quote())
        await polygon.send("forex", {"ev": "C", "p": "EUR/USD", "a": 1.1, "b": 1.09, "t": AT})

        assert {(await quotes.next()).symbol, (await quotes.next()).symbol} == {"AAPL", "EUR/USD"}


async def test_symbols_come_and_go_while_the_socket_stays() -> None:
    async with polygon_market() as (polygon, provider, _), reading(provider.trades(["AAPL"])):
        await polygon.until_subscribed("stocks", "T.AAPL")
        async with reading(provider.trades(["MSFT"])) as more:
            await polygon.until_subscribed("stocks", "T.AAPL", "T.MSFT")
            await polygon.send("stocks", trade(1, "MSFT"))
            assert (await more.next()).symbol == "MSFT"
        await polygon.until_subscribed("stocks", "T.AAPL")
        assert polygon.connections["stocks"] == 1


async def test_the_socket_closes_a_little_after_the_last_iterator() -> None:
    async with polygon_market() as (polygon, provider, clock):
        async with reading(provider.trades(["AAPL"])):
            await polygon.until_subscribed("stocks", "T.AAPL")
        clock.advance(LINGER_SECONDS / 2)
        async with reading(provider.trades(["MSFT"])):
            await polygon.until_subscribed("stocks", "T.MSFT")
            clock.advance(2 * LINGER_SECONDS)
        assert polygon.connections["stocks"] == 1

        clock.advance(LINGER_SECONDS)
        await polygon.until(lambda: "stocks" not in polygon.sockets)
        async with reading(provider.trades(["AAPL"])):
            await polygon.until_subscribed("stocks", "T.AAPL")
        assert polygon.connections["stocks"] == 2


async def test_each_trade_comes_in_order() -> None:
    async with polygon_market() as (polygon, provider, _), reading(provider.trades(["AAPL"])) as trades:
        await polygon.until_subscribed("stocks", "T.AAPL")
        for first in range(0, 2_000, 100):
            await polygon.send("stocks", *(trade(number) for number in range(first, first + 100)))

        assert [(await trades.next()).price for _ in range(2_000)] == [Decimal(100 + n) for n in range(2_000)]


async def test_an_older_quote_does_not_replace_a_newer_one() -> None:
    async with polygon_market() as (polygon, provider, _), reading(provider.quotes(["AAPL"])) as quotes:
        await polygon.until_subscribed("stocks", "Q.AAPL")
        await polygon.send("stocks", quote(bid=100, at=AT - 2), quote(bid=90, at=AT - 5))
        assert (await quotes.next()).bid_price == 100
        await polygon.send("stocks", quote(bid=90, at=AT - 5))
        await polygon.send("stocks", quote(bid=101, at=AT - 1))
        assert (await quotes.next()).bid_price == 101


async def test_bars_of_a_second_and_of_a_minute_are_pushed_complete_each_once_and_in_order() -> None:
    async with (
        polygon_market() as (polygon, provider, _),
        reading(provider.live_bars(["AAPL"], BarInterval.MINUTE_1)) as minutes,
        reading(provider.live_bars(["BTC/USD"], BarInterval.SECOND_1)) as seconds,
    ):
        await polygon.until_subscribed("stocks", "AM.AAPL")
        await polygon.until_subscribed("crypto", "XAS.BTC-USD")
        opens = NOW - 3 * MINUTE
        await polygon.send("stocks", minute(opens), minute(opens), minute(opens - MINUTE), minute(opens + MINUTE))
        await polygon.send(
            "crypto",
            {"ev": "XAS", "pair": "BTC-USD", "o": 1, "h": 2, "l": 1, "c": 2, "v": 0.5, "s": AT, "e": AT + 1_000},
        )

        found = [await minutes.next(), await minutes.next()]
        assert [(bar.open_time, bar.partial) for bar in found] == [(opens, False), (opens + MINUTE, False)]
        assert (found[0].vwap, found[0].volume, found[0].trade_count) == (Decimal("10.5"), Decimal(50), None)
        second = await seconds.next()
        # Our clock stands at its open: it is over by Polygon's.
        assert (second.open_time, second.close_time, second.partial) == (NOW, NOW + SECOND, False)


async def test_live_bars_are_those_of_the_session() -> None:
    async with (
        polygon_market() as (polygon, provider, _),
        reading(provider.live_bars(["AAPL"], BarInterval.MINUTE_1)) as minutes,
    ):
        await polygon.until_subscribed("stocks", "AM.AAPL")
        before = datetime(2026, 3, 11, 13, 29, tzinfo=UTC)
        await polygon.send("stocks", minute(before), minute(before + MINUTE))

        assert (await minutes.next()).open_time == before + MINUTE


@pytest.mark.parametrize(
    "wrong",
    [
        {"ev": "Q"},
        {"ev": "Q", "sym": 7, "bp": 1},
        quote() | {"bp": "?"},
        quote() | {"t": None},
        quote("MSFT"),
        {"ev": "XX", "sym": "AAPL"},
        {"ev": ["Q"]},
        {"sym": "AAPL"},
        {},
        minute(NOW) | {"sym": "AAPL", "c": "NaN"},
    ],
    ids=range(10),
)
async def test_a_message_that_makes_no_sense_is_passed_over(wrong: Row) -> None:
    async with polygon_market() as (polygon, provider, _), reading(provider.quotes(["AAPL"])) as quotes:
        await polygon.until_subscribed("stocks", "Q.AAPL")
        await polygon.send("stocks", wrong, quote(bid=7))

        assert (await quotes.next()).bid_price == 7


# -- how it breaks ------------------------------------------------------------------------------------------


async def test_a_socket_that_is_cut_ends_all_its_iterators_and_no_others() -> None:
    async with (
        polygon_market() as (polygon, provider, _),
        reading(provider.quotes(["AAPL"])) as quotes,
        reading(provider.trades(["AAPL"])) as trades,
        reading(provider.quotes(["EUR/USD"])) as euro,
    ):
        await polygon.until_subscribed("stocks", "Q.AAPL", "T.AAPL")
        await polygon.until_subscribed("forex", "C.EUR-USD")
        await polygon.send("stocks", trade(1))
        assert (await trades.next()).trade_id == "4-1"
        polygon.drop("stocks")

        for ended in (await quotes.next(), await trades.next()):
            assert isinstance(ended, Unavailable)
            assert ended.reason == "MARKET_DATA_UNAVAILABLE"
        await polygon.send("forex", {"ev": "C", "p": "EUR-USD", "a": 1.1, "b": 1.09, "t": AT})
        assert (await euro.next()).symbol == "EUR/USD"


async def test_after_a_cut_the_next_iterator_connects_and_subscribes_again() -> None:
    async with polygon_market() as (polygon, provider, _):
        async with reading(provider.quotes(["AAPL"])) as quotes:
            await polygon.until_subscribed("stocks", "Q.AAPL")
            polygon.drop("stocks")
            assert isinstance(await quotes.next(), Unavailable)
        async with reading(provider.quotes(["AAPL"])) as quotes:
            await polygon.until(lambda: polygon.connections["stocks"] == 2)
            await polygon.until_subscribed("stocks", "Q.AAPL")
            await polygon.send("stocks", quote(bid=5))
            assert (await quotes.next()).bid_price == 5


async def test_a_clean_close_is_no_end_of_the_market() -> None:
    async with polygon_market() as (polygon, provider, _), reading(provider.quotes(["AAPL"])) as quotes:
        await polygon.until_subscribed("stocks", "Q.AAPL")
        await polygon.end("stocks")

        assert isinstance(await quotes.next(), Unavailable)


async def test_a_mute_socket_is_found_out_by_its_silence() -> None:
    async with polygon_market(stream_silence_seconds=0.4) as (polygon, provider, _):
        polygon.mute = True
        async with reading(provider.quotes(["AAPL"])) as quotes:
            began = time.monotonic()
            assert isinstance(await quotes.next(), Unavailable)
            assert time.monotonic() - began < 4


async def test_a_quiet_market_is_no_mute_socket() -> None:
    async with (
        polygon_market(stream_silence_seconds=0.2) as (polygon, provider, _),
        reading(provider.quotes(["AAPL"])) as quotes,
    ):
        await polygon.until_subscribed("stocks", "Q.AAPL")
        await asyncio.sleep(0.8)
        await polygon.send("stocks", quote())
        assert (await quotes.next()).symbol == "AAPL"


@pytest.mark.parametrize("frame", ["no JSON", '{"ev": "Q"}', "[7]", "["])
async def test_a_frame_that_is_nonsense_breaks_the_stream_openly(frame: str) -> None:
    async with polygon_market() as (polygon, provider, _), reading(provider.quotes(["AAPL"])) as quotes:
        await polygon.until_subscribed("stocks", "Q.AAPL")
        await polygon.send_text("stocks", frame)

        assert isinstance(await quotes.next(), Unavailable)


async def test_a_wrong_key_is_told_the_line_to_set() -> None:
    async with polygon_market(api_key="wrong") as (_, provider, _clock), reading(provider.quotes(["AAPL"])) as quotes:
        error = await quotes.next()

        assert isinstance(error, PreconditionFailed)
        assert error.reason == "PROVIDER_NOT_CONFIGURED"
        assert "QUANTMESH_POLYGON_API_KEY" in error.message


@pytest.mark.parametrize("status", ["max_connections", "auth_timeout", "force_disconnect"])
async def test_a_stream_that_is_refused_for_now_says_so_at_once(status: str) -> None:
    async with polygon_market(timeout_seconds=5.0) as (polygon, provider, _):
        polygon.key_answer = [{"ev": "status", "status": status, "message": "Maximum number of connections exceeded."}]
        async with reading(provider.quotes(["AAPL"])) as quotes:
            began = time.monotonic()
            assert isinstance(await quotes.next(), Unavailable)
            assert time.monotonic() - began < 4


async def test_a_connection_that_another_client_takes_away_is_told_as_such() -> None:
    async with polygon_market() as (polygon, provider, _), reading(provider.quotes(["AAPL"])) as quotes:
        await polygon.until_subscribed("stocks", "Q.AAPL")
        await polygon.send("stocks", {"ev": "status", "status": "max_connections", "message": "Maximum"})
        await polygon.end("stocks")

        assert "one a market" in (await quotes.next()).message


@pytest.mark.parametrize("greeting", [[], [{}], [{"ev": "status"}]], ids=str)
async def test_a_greeting_or_an_answer_to_the_key_that_is_nonsense_is_no_stream(greeting: list[Row]) -> None:
    async with polygon_market(timeout_seconds=0.5) as (polygon, provider, _):
        polygon.key_answer = greeting
        async with reading(provider.quotes(["AAPL"])) as quotes:
            assert isinstance(await quotes.next(), Unavailable)


async def test_a_server_that_does_not_shake_hands_has_a_time_limit() -> None:
    async with polygon_market(timeout_seconds=0.3) as (polygon, provider, _):
        polygon.silent_handshake = True
        async with reading(provider.quotes(["AAPL"])) as quotes:
            assert isinstance(await quotes.next(), Unavailable)


async def test_a_server_that_is_not_there_has_a_time_limit() -> None:
    async with (
        polygon_market(timeout_seconds=0.3, stream_url="ws://127.0.0.1:1") as (_, provider, _clock),
        reading(provider.quotes(["AAPL"])) as quotes,
    ):
        assert isinstance(await quotes.next(), Unavailable)


async def test_a_channel_that_the_plan_lacks_fails_alone() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.refused_events = {"Q"}
        async with reading(provider.trades(["AAPL"])) as trades, reading(provider.quotes(["AAPL"])) as quotes:
            error = await quotes.next()
            await polygon.send("stocks", trade(1))

            assert isinstance(error, PreconditionFailed)
            assert error.reason == "PROVIDER_NOT_CAPABLE"
            assert (await trades.next()).trade_id == "4-1"


async def test_a_subscription_that_got_lost_is_made_again() -> None:
    async with polygon_market(timeout_seconds=0.3) as (polygon, provider, _):
        polygon.lost_subscriptions = 1
        async with reading(provider.quotes(["AAPL"])) as quotes:
            await polygon.until_subscribed("stocks", "Q.AAPL")
            await polygon.send("stocks", quote())
            assert (await quotes.next()).symbol == "AAPL"


# -- what there is not --------------------------------------------------------------------------------------


async def test_what_polygon_does_not_stream_is_said_to_whoever_reads_it() -> None:
    async with polygon_market() as (polygon, provider, _):
        for items in (
            provider.trades(["EUR/USD"]),
            provider.quotes(["I:SPX"]),
            provider.live_bars(["AAPL"], BarInterval.HOUR_1),
            provider.order_books("AAPL", 5),
        ):
            async with reading(items) as found:
                assert (await found.next()).reason == "PROVIDER_NOT_CAPABLE"
        with pytest.raises(PreconditionFailed):
            await provider.order_book("AAPL", 5)
        assert not polygon.connections


async def test_closing_the_provider_ends_its_iterators_and_sockets() -> None:
    async with polygon_market() as (polygon, provider, _), reading(provider.quotes(["AAPL"])) as quotes:
        await polygon.until_subscribed("stocks", "Q.AAPL")
        await provider.close()

        assert await quotes.next() is None
        await polygon.until(lambda: not polygon.sockets)
        async with reading(provider.quotes(["AAPL"])) as late:
            assert await late.next() is None
