"""Instruments, quotes and books of the ccxt provider, by request, and what an exchange's bad days do to them."""

import asyncio
from contextlib import suppress
from decimal import Decimal
from functools import partial

import pytest

from domain.errors import DomainError, PreconditionFailed, Throttled, Unavailable
from domain.market_data.bar import BarInterval
from domain.market_data.instrument import AssetClass, InstrumentStatus
from domain.market_data.quote import Quote, TopOfBook
from tests.support.ccxt_rig import MINUTE, NOW, Rig, ccxt_rig, request
from tests.support.vendors.binance import BOOK_TICKER, DEPTH, EXCHANGE_INFO, KLINES

D = Decimal


async def test_the_catalogue_has_the_grids_and_limits_of_the_exchange() -> None:
    async with ccxt_rig() as rig:
        found = {one.symbol: one for one in await rig.market.instruments()}
    assert list(found) == ["BTC/USDT", "ETH/BTC", "ETH/USDT", "NEW/USDT", "OLD/USDT"]
    pair = found["ETH/BTC"]
    assert (pair.asset_class, pair.base_currency, pair.currency) == (AssetClass.CRYPTO, "ETH", "BTC")
    assert (pair.tick_size, pair.lot_size, pair.min_quantity) == (D("0.00001"), D("0.0001"), D("0.0001"))
    assert (pair.max_quantity, pair.min_notional) == (D(9000), D(5))
    assert (pair.provider_symbol, pair.venue) == ("ETHBTC", "Binance")
    assert pair.status is InstrumentStatus.ACTIVE
    assert found["OLD/USDT"].status is InstrumentStatus.HALTED


async def test_an_unknown_symbol_is_no_instrument_and_has_nothing() -> None:
    async with ccxt_rig() as rig:
        assert await rig.market.instrument("DOGE/USDT") is None
        assert await rig.market.order_book("DOGE/USDT", 5) is None
        assert await rig.market.latest_quotes(["DOGE/USDT"]) == []


async def test_the_list_of_markets_is_read_once_and_again_when_it_is_old() -> None:
    async with ccxt_rig(catalogue_seconds=600) as rig:
        await asyncio.gather(*(rig.market.instruments() for _ in range(5)))
        assert rig.binance.requests[EXCHANGE_INFO] == 1
        rig.clock.advance(601)
        await rig.market.instruments()
        assert rig.binance.requests[EXCHANGE_INFO] == 2


async def test_an_old_list_serves_while_the_exchange_gives_no_new_one() -> None:
    async with ccxt_rig(catalogue_seconds=600) as rig:
        await rig.market.instruments()
        rig.clock.advance(601)
        rig.binance.answer(EXCHANGE_INFO, 500, "<html>")
        assert await rig.market.instrument("BTC/USDT") is not None


async def test_a_caller_that_goes_away_does_not_take_the_list_of_markets_from_others() -> None:
    async with ccxt_rig() as rig:
        first = asyncio.create_task(rig.market.instruments())
        second = asyncio.create_task(rig.market.instruments())
        await asyncio.sleep(0.02)
        first.cancel()
        assert len(await second) == 5
        assert first.cancelled()


async def test_names_the_contract_has_no_letters_for_are_left_out() -> None:
    async with ccxt_rig() as rig:

        def rename(body: dict[str, list[dict[str, str]]]) -> object:
            body["symbols"][0] |= {"symbol": "币安USDT", "baseAsset": "币安"}
            return body

        rig.binance.change(EXCHANGE_INFO, rename)
        assert next(one.symbol for one in await rig.market.instruments()) == "ETH/BTC"


async def test_quotes_carry_both_sides_and_the_time_of_their_receipt() -> None:
    async with ccxt_rig() as rig:
        quotes = await rig.market.latest_quotes(["ETH/USDT", "BTC/USDT", "DOGE/USDT"])
    assert quotes == [Quote(symbol, D(150), D(1), D("150.5"), D(2), NOW) for symbol in ("ETH/USDT", "BTC/USDT")]


async def test_a_side_that_nobody_quotes_is_absent() -> None:
    async with ccxt_rig() as rig:
        rig.binance.books["BTCUSDT"]["asks"] = []
        rig.binance.books["ETHUSDT"] |= {"asks": [], "bids": []}
        quotes = await rig.market.latest_quotes(["BTC/USDT", "ETH/USDT"])
    assert quotes == [TopOfBook("BTC/USDT", D(150), D(1), None, None, NOW)]


async def test_a_quote_that_makes_no_sense_is_dropped() -> None:
    async with ccxt_rig() as rig:
        for price in ("NaN", "-1", "Infinity", "999.0"):
            rig.binance.change(BOOK_TICKER, partial(_with_bid, price))
            assert await rig.market.latest_quotes(["BTC/USDT"]) == []


def _with_bid(price: str, quotes: list[dict[str, str]]) -> object:
    return [{**quotes[0], "bidPrice": price}]


async def test_a_quote_that_the_list_lacks_is_read_from_the_book() -> None:
    async with ccxt_rig() as rig:
        rig.binance.change(BOOK_TICKER, lambda _: [])
        assert await rig.market.latest_quotes(["BTC/USDT"]) == [Quote("BTC/USDT", D(150), D(1), D("150.5"), D(2), NOW)]


async def test_a_book_has_the_levels_that_were_asked_for_best_first() -> None:
    async with ccxt_rig() as rig:
        book = await rig.market.order_book("BTC/USDT", 3)
    assert book is not None
    assert [(level.price, level.size) for level in book.bids] == [
        (D(150), D(1)),
        (D("149.9"), D(2)),
        (D("149.8"), D(3)),
    ]
    assert [level.price for level in book.asks] == [D("150.5"), D("150.6"), D("150.7")]
    assert book.book_time == NOW


_BAD_LEVELS: tuple[object, ...] = ([["NaN", "1"]], [["1", "-1"]], [["1"]], [[]], ["x"], [None], "x", [["151.0", "1.0"]])


async def test_a_book_with_levels_that_make_no_sense_is_none() -> None:
    async with ccxt_rig() as rig:
        for levels in _BAD_LEVELS:
            rig.binance.change(DEPTH, partial(_with_bids, levels))
            with suppress(Unavailable):
                assert await rig.market.order_book("BTC/USDT", 5) is None


def _with_bids(levels: object, book: dict[str, object]) -> object:
    return {**book, "bids": levels}


async def test_a_halted_market_has_no_book() -> None:
    async with ccxt_rig() as rig:
        rig.binance.books["OLDUSDT"] |= {"asks": [], "bids": []}
        assert await rig.market.order_book("OLD/USDT", 3) is None


_NONSENSE = (
    (500, "<html>oh</html>"),
    (502, "Bad Gateway"),
    (503, ""),
    (200, '[[1591478520000,"0.02'),
    (200, "<html>"),
    (200, ""),
    (200, "null"),
    (200, "{}"),
    (200, '"hello"'),
    (200, "[1, 2]"),
    (200, '{"code": -1000, "msg": "oh"}'),
)


async def test_nonsense_and_failures_are_unavailable() -> None:
    async with ccxt_rig() as rig:
        await rig.market.instruments()
        for status, body in _NONSENSE:
            for path, ask in _ASKED.items():
                rig.binance.answer(path, status, body)
                with pytest.raises(Unavailable) as raised:
                    await ask(rig)
                assert raised.value.reason == "MARKET_DATA_UNAVAILABLE"
                assert "127.0.0.1" not in raised.value.message


async def _klines(rig: Rig) -> object:
    return await rig.market.bars(request(BarInterval.MINUTE_1, NOW - 10 * MINUTE))


async def _depth(rig: Rig) -> object:
    return await rig.market.order_book("BTC/USDT", 5)


_ASKED = {KLINES: _klines, DEPTH: _depth}


async def test_an_answer_that_breaks_off_is_unavailable() -> None:
    async with ccxt_rig() as rig:
        await rig.market.instruments()
        rig.binance.break_off(KLINES)
        with pytest.raises(Unavailable):
            await _klines(rig)


async def test_an_answer_that_does_not_come_is_unavailable() -> None:
    async with ccxt_rig(timeout_seconds=0.3) as rig:
        await rig.market.instruments()
        rig.binance.hang(KLINES, 1)
        with pytest.raises(Unavailable, match="in time"):
            await _klines(rig)


async def test_an_exchange_that_is_not_there_is_unavailable() -> None:
    async with ccxt_rig(mirrors={"https://api.binance.com": "http://127.0.0.1:9"}) as rig:
        with pytest.raises(Unavailable):
            await rig.market.instruments()


@pytest.mark.parametrize("status", [429, 418])
async def test_a_rate_limit_says_how_long_to_wait_and_is_kept(status: int) -> None:
    async with ccxt_rig() as rig:
        await rig.market.instruments()
        rig.binance.answer(KLINES, status, "{}", Retry_After="7")
        with pytest.raises(Throttled) as raised:
            await _klines(rig)
        assert raised.value.retry_after_seconds == 7
        asked = rig.binance.requests[DEPTH]
        rig.clock.advance(3)
        with pytest.raises(Throttled) as again:
            await _depth(rig)
        assert again.value.retry_after_seconds == 4
        assert rig.binance.requests[DEPTH] == asked
        rig.clock.advance(4)
        assert await _depth(rig) is not None


async def test_a_rate_limit_without_a_time_is_one_too() -> None:
    async with ccxt_rig() as rig:
        await rig.market.instruments()
        rig.binance.answer(KLINES, 429, '{"code": -1003, "msg": "Too many requests"}')
        with pytest.raises(Throttled) as raised:
            await _klines(rig)
        assert raised.value.retry_after_seconds > 0
        assert await _klines(rig) is not None


async def test_a_wait_until_a_date_is_counted_in_seconds() -> None:
    async with ccxt_rig() as rig:
        await rig.market.instruments()
        rig.binance.answer(KLINES, 429, "{}", Retry_After="Sun, 22 Nov 2026 12:01:00 GMT")
        with pytest.raises(Throttled) as raised:
            await _klines(rig)
        assert raised.value.retry_after_seconds == 30


_REFUSALS = (
    (401, '{"code": -2014, "msg": "API-key format invalid."}', "PROVIDER_NOT_CONFIGURED"),
    (401, "", "PROVIDER_NOT_CONFIGURED"),
    (400, '{"code": -1121, "msg": "Invalid symbol."}', "MARKET_DATA_UNAVAILABLE"),
    (400, '{"code": -1021, "msg": "Timestamp for this request is outside."}', "MARKET_DATA_UNAVAILABLE"),
)


async def test_a_refusal_says_why() -> None:
    async with ccxt_rig() as rig:
        await rig.market.instruments()
        for status, body, reason in _REFUSALS:
            rig.binance.answer(DEPTH, status, body)
            with pytest.raises(DomainError) as raised:
                await _depth(rig)
            assert raised.value.reason == reason


async def test_what_the_exchange_cannot_do_is_said_so() -> None:
    async with ccxt_rig(exchange="cryptomus", mirrors={}) as rig:
        with pytest.raises(PreconditionFailed) as raised:
            await anext(rig.market.trades(["BTC/USDT"]))
        assert raised.value.reason == "PROVIDER_NOT_CAPABLE"


async def test_more_requests_than_can_soon_be_sent_are_refused_at_once() -> None:
    async with ccxt_rig() as rig:
        await rig.market.instruments()
        waiting = [asyncio.create_task(_depth(rig)) for _ in range(100)]
        await asyncio.sleep(0)
        with pytest.raises(Throttled):
            await _depth(rig)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert await _depth(rig) is not None


async def test_a_provider_that_is_closed_says_so() -> None:
    async with ccxt_rig() as rig:
        await rig.market.instruments()
        await rig.market.close()
        with pytest.raises(Unavailable):
            await rig.market.instruments()
