"""What becomes of a request to Alpaca on the vendor's bad days, and of its caller's."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.market_data.alpaca_settings import NAME
from application.ports.market_data import BarRequest
from domain.errors import DomainError, PreconditionFailed, Throttled, Unavailable
from domain.market_data.bar import BarInterval
from domain.market_data.quote import PriceLevel, Quote, TopOfBook
from tests.support.vendors.alpaca_data import body, cut_off, minutes, no_answer, stamp, status
from tests.support.vendors.alpaca_provider import NOW, Alpaca, alpaca

START = datetime(2024, 1, 3, 14, 30, tzinfo=UTC)
ASKED = BarRequest("AAPL", BarInterval.MINUTE_1, START, START + timedelta(hours=1), 100)


@pytest.fixture
async def market() -> AsyncIterator[Alpaca]:
    async with alpaca() as market:
        market.server.minutes["AAPL"] = minutes(START, 60)
        yield market


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "Wed, 03 Jan 2024 22:00:20 GMT"}, 20.0),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) + 42)}, 42.0),
        ({"X-RateLimit-Reset": str(int(NOW.timestamp()) - 42)}, 5.0),
        ({"Retry-After": "soon"}, 5.0),
        ({"Retry-After": "1000000"}, 5.0),
        ({}, 5.0),
    ],
)
async def test_a_rate_limit_is_told_at_once_with_the_seconds_to_wait(
    market: Alpaca, headers: dict[str, str], seconds: float
) -> None:
    market.server.answers.append(status(429, "too many requests.", headers))
    began = time.monotonic()

    with pytest.raises(Throttled) as limited:
        await market.provider.bars(ASKED)

    assert limited.value.retry_after_seconds == seconds
    assert (limited.value.reason, limited.value.metadata) == ("RATE_LIMITED", {"provider": "alpaca"})
    assert len(market.server.requests) == 1
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("code", "message", "kind", "reason"),
    [
        (401, "unauthorized.", PreconditionFailed, "PROVIDER_NOT_CONFIGURED"),
        (403, "forbidden.", PreconditionFailed, "PROVIDER_NOT_CONFIGURED"),
        (403, "subscription does not permit querying recent SIP data", PreconditionFailed, "PROVIDER_NOT_CAPABLE"),
        (422, "invalid feed", PreconditionFailed, "PROVIDER_NOT_CAPABLE"),
        (404, "not found", Unavailable, "MARKET_DATA_UNAVAILABLE"),
        (302, "moved", Unavailable, "MARKET_DATA_UNAVAILABLE"),
        (500, "internal error", Unavailable, "MARKET_DATA_UNAVAILABLE"),
        (504, "gateway timeout", Unavailable, "MARKET_DATA_UNAVAILABLE"),
    ],
)
async def test_a_refusal_says_what_it_means_and_is_not_repeated(
    market: Alpaca, code: int, message: str, kind: type[DomainError], reason: str
) -> None:
    market.server.answers.append(status(code, message))

    with pytest.raises(kind) as refused:
        await market.provider.bars(ASKED)

    assert refused.value.reason == reason
    assert len(market.server.requests) == 1


async def test_a_refused_key_is_told_with_the_line_that_sets_it_and_without_the_key() -> None:
    async with alpaca(secret_key="another") as market:  # noqa: S106 - no secret
        with pytest.raises(PreconditionFailed, match="QUANTMESH_ALPACA_KEY_ID") as refused:
            await market.provider.bars(ASKED)

    assert "another" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>down for maintenance</html>",
        "null",
        "[]",
        "5",
        "{}",
        '{"bars": null}',
        '{"bars": []}',
        '{"bars": {"AAPL": "none"}}',
        '{"bars": {"AAPL": 5}, "quotes": {}}',
        '{"bars": {"AAPL": [',
        '"' + "[" * 100_000,
        "[" * 100_000,
    ],
)
async def test_an_answer_that_makes_no_sense_is_unavailable(market: Alpaca, text: str) -> None:
    market.server.answers.append(body(text))

    with pytest.raises(Unavailable, match="makes no sense"):
        await market.provider.bars(ASKED)


async def test_pages_without_an_end_are_not_followed_for_ever(market: Alpaca) -> None:
    market.server.answers.extend([body('{"bars": {}, "next_page_token": "again"}')] * 200)

    with pytest.raises(Unavailable, match="makes no sense"):
        await market.provider.bars(ASKED)

    assert len(market.server.requests) == 100


async def test_a_vendor_that_does_not_answer_is_waited_for_only_so_long() -> None:
    async with alpaca(timeout_seconds=0.2) as market:
        market.server.answers.append(no_answer)

        with pytest.raises(Unavailable, match="in time"):
            await market.provider.bars(ASKED)


async def test_half_an_answer_is_none(market: Alpaca) -> None:
    market.server.answers.append(cut_off)

    with pytest.raises(Unavailable, match="connection failed"):
        await market.provider.bars(ASKED)


async def test_a_vendor_that_is_not_there_is_unavailable() -> None:
    async with alpaca(data_url="http://127.0.0.1:9") as market:
        with pytest.raises(Unavailable, match="connection failed"):
            await market.provider.bars(ASKED)


async def test_a_failure_leaves_the_next_request_alone(market: Alpaca) -> None:
    market.server.answers.append(status(500))
    with pytest.raises(Unavailable):
        await market.provider.bars(ASKED)

    assert len((await market.provider.bars(ASKED)).bars) == 60


async def test_a_caller_that_is_gone_reads_no_further_pages() -> None:
    async with alpaca() as market:
        market.server.minutes["AAPL"] = minutes(START, 60)
        market.server.page_size = 10
        second = asyncio.Event()

        async def slow(request: object) -> object:
            second.set()
            await asyncio.sleep(0.1)
            return await body('{"bars": {"AAPL": []}, "next_page_token": "20"}')(request)  # type: ignore[arg-type]  # unread

        market.server.answers.extend([None, slow])  # type: ignore[list-item]  # of the same shape
        asked = asyncio.create_task(market.provider.bars(ASKED))
        await second.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        await asyncio.sleep(0.3)

        assert len(market.server.requests) == 2


async def test_requests_run_on_threads_of_the_providers_own_and_close_lets_go_of_them(market: Alpaca) -> None:
    await asyncio.gather(*(market.provider.bars(ASKED) for _ in range(20)))
    mine = [thread for thread in threading.enumerate() if thread.name.startswith(NAME)]
    assert 1 <= len(mine) <= 4

    await market.provider.close()
    for thread in mine:
        await asyncio.to_thread(thread.join, 2)
        assert not thread.is_alive()
    with pytest.raises(Unavailable, match="closed"):
        await market.provider.bars(ASKED)


async def test_close_ends_those_who_wait_for_their_turn() -> None:
    async with alpaca(timeout_seconds=0.5) as market:
        market.server.answers.extend([no_answer] * 10)
        asked = [asyncio.create_task(market.provider.bars(ASKED)) for _ in range(10)]
        await market.server.until(lambda: len(market.server.requests) == 4)
        await market.provider.close()

        for task in asked:
            with pytest.raises(Unavailable):
                await task


# -- quotes and books ---------------------------------------------------------------------------------------


def quote(at: datetime, **changes: object) -> dict[str, object]:
    usual = {"ap": 187.27, "as": 3, "ax": "V", "bp": 187.25, "bs": 2, "bx": "V", "c": ["R"], "z": "C"}
    return {"t": stamp(at), **usual, **changes}


async def test_quotes_of_stocks_and_crypto_come_together_with_lots_as_shares(market: Alpaca) -> None:
    market.server.quotes = {
        "AAPL": quote(NOW),
        "BTC/USD": quote(NOW, bp=42000.1, bs=0.25, ap=42001.5, **{"as": 1.5}),
    }

    assert await market.provider.latest_quotes(["BTC/USD", "NOSUCH", "AAPL"]) == [
        Quote("BTC/USD", Decimal("42000.1"), Decimal("0.25"), Decimal("42001.5"), Decimal("1.5"), NOW),
        Quote("AAPL", Decimal("187.25"), Decimal(200), Decimal("187.27"), Decimal(300), NOW),
    ]


async def test_a_side_that_nobody_quotes_is_absent(market: Alpaca) -> None:
    market.server.quotes = {"AAPL": quote(NOW, ap=0, **{"as": 0}), "MSFT": quote(NOW, bp=0, bs=0, ap=0)}

    assert await market.provider.latest_quotes(["AAPL", "MSFT"]) == [
        TopOfBook("AAPL", Decimal("187.25"), Decimal(200), None, None, NOW)
    ]


@pytest.mark.parametrize(
    "broken",
    [
        {"bp": 187.28},
        {"bp": -1},
        {"ap": float("nan")},
        {"bp": "dear"},
        {"bs": None},
        {"as": -5},
        {"t": "noon"},
        {"t": None},
    ],
)
async def test_a_quote_that_makes_no_sense_is_none(market: Alpaca, broken: dict[str, object]) -> None:
    market.server.quotes = {"AAPL": quote(NOW, **broken), "MSFT": quote(NOW)}

    assert [one.symbol for one in await market.provider.latest_quotes(["AAPL", "MSFT"])] == ["MSFT"]


async def test_one_symbol_that_is_refused_does_not_take_the_others_with_it(market: Alpaca) -> None:
    market.server.quotes = {"AAPL": quote(NOW), "MSFT": quote(NOW)}

    found = await market.provider.latest_quotes(["AAPL", "BAD1", "BAD2", "MSFT"])

    assert [one.symbol for one in found] == ["AAPL", "MSFT"]


async def test_a_thousand_quotes_take_ten_requests(market: Alpaca) -> None:
    symbols = [f"S{number}" for number in range(1_000)]
    market.server.quotes = {symbol: quote(NOW) for symbol in symbols}

    assert [one.symbol for one in await market.provider.latest_quotes(symbols)] == symbols
    assert len(market.server.requests) == 10


async def test_a_vendor_whose_clock_is_ahead_is_quoted_with_its_own_time(market: Alpaca) -> None:
    ahead = NOW + timedelta(seconds=90)
    market.server.quotes = {"AAPL": quote(ahead)}

    assert [one.quote_time for one in await market.provider.latest_quotes(["AAPL"])] == [ahead]


async def test_a_book_of_crypto_has_the_best_levels_first_up_to_the_depth(market: Alpaca) -> None:
    market.server.books["BTC/USD"] = {
        "t": stamp(NOW),
        "b": [{"p": 9.5, "s": 1}, {"p": 10, "s": 2}, {"p": 9, "s": 0}],
        "a": [{"p": 12, "s": 3}, {"p": 11, "s": 4}, {"p": 13, "s": 5}],
    }

    book = await market.provider.order_book("BTC/USD", 2)

    assert book is not None
    assert book.bids == (PriceLevel(Decimal(10), Decimal(2)), PriceLevel(Decimal("9.5"), Decimal(1)))
    assert book.asks == (PriceLevel(Decimal(11), Decimal(4)), PriceLevel(Decimal(12), Decimal(3)))
    assert book.book_time == NOW


async def test_a_pair_that_is_unknown_or_that_nobody_quotes_has_no_book(market: Alpaca) -> None:
    market.server.books["BTC/USD"] = {"t": stamp(NOW), "b": [], "a": []}

    assert await market.provider.order_book("BTC/USD", 2) is None
    assert await market.provider.order_book("ETH/USD", 2) is None


@pytest.mark.parametrize("level", [{"p": float("nan"), "s": 1}, {"p": 1}, None, {"p": -1, "s": 1}, {"p": 12, "s": 1}])
async def test_a_book_that_makes_no_sense_is_unavailable(market: Alpaca, level: object) -> None:
    market.server.books["BTC/USD"] = {"t": stamp(NOW), "b": [{"p": 10, "s": 2}, level], "a": [{"p": 11, "s": 2}]}

    with pytest.raises(Unavailable, match="makes no sense"):
        await market.provider.order_book("BTC/USD", 2)


async def test_stocks_have_no_books(market: Alpaca) -> None:
    with pytest.raises(PreconditionFailed, match="crypto only"):
        await market.provider.order_book("AAPL", 2)
