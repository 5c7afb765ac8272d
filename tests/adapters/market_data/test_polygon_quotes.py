"""Quotes and trades as Polygon writes them."""

from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.market_data.polygon_quotes import currency_quote, stock_quote, trade
from domain.market_data.quote import Quote, TopOfBook
from tests.support.vendors.polygon import Row
from tests.support.vendors.polygon_market import NOW, milliseconds, polygon_market

D = Decimal
T = milliseconds(NOW)
QUOTE: Row = {"bp": 187.25, "bs": 200, "ap": 187.27, "as": 100, "t": T}
TRADE: Row = {"p": 187.26, "s": 40, "t": T, "i": "52983", "x": 4, "c": [12, 37]}


def test_a_quote_has_both_sides_in_exact_decimals() -> None:
    assert stock_quote("AAPL", QUOTE, NOW) == Quote("AAPL", D("187.25"), D(200), D("187.27"), D(100), NOW)


@pytest.mark.parametrize("nobody", [{"bp": 0, "bs": 0}, {"bp": None}, {"bp": 0.0}, {"bs": 0}], ids=str)
def test_a_side_that_nobody_quotes_is_not_there(nobody: Row) -> None:
    assert stock_quote("AAPL", QUOTE | nobody, NOW) == TopOfBook("AAPL", None, None, D("187.27"), D(100), NOW)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bp": 190},
        {"bp": -1},
        {"bp": float("nan")},
        {"ap": "dear"},
        {"as": -1},
        {"as": "many"},
        {"t": None},
        {"t": "noon"},
        {"t": 1e30},
    ],
    ids=str,
)
def test_a_quote_that_contradicts_itself_is_dropped(wrong: Row) -> None:
    assert stock_quote("AAPL", QUOTE | wrong, NOW) is None


def test_a_quote_of_currencies_has_prices_only() -> None:
    found = currency_quote("EUR/USD", {"a": 1.0871, "b": 1.087, "t": T}, NOW)

    assert found == TopOfBook("EUR/USD", D("1.087"), None, D("1.0871"), None, NOW)


def test_what_a_clock_ahead_of_ours_stamps_is_as_of_now() -> None:
    ahead = {"t": T + 3_600_000}
    quote, print_ = stock_quote("AAPL", QUOTE | ahead, NOW), trade("AAPL", TRADE | ahead, NOW)

    assert quote is not None
    assert print_ is not None
    assert quote.quote_time == print_.trade_time == NOW


def test_a_trade_is_named_by_its_exchange_too() -> None:
    found = trade("AAPL", TRADE, NOW)

    assert found is not None
    assert (found.trade_id, found.price, found.size, found.conditions) == ("4-52983", D("187.26"), D(40), ("12", "37"))


def test_a_fraction_of_a_share_is_traded_exactly() -> None:
    found = trade("AAPL", TRADE | {"s": 0, "ds": "0.125"}, NOW)

    assert found is not None
    assert found.size == D("0.125")


def test_a_trade_that_has_no_id_is_given_none() -> None:
    found = trade("AAPL", {key: value for key, value in TRADE.items() if key not in ("i", "c")}, NOW)

    assert found is not None
    assert (found.trade_id, found.conditions) == ("", ())


@pytest.mark.parametrize("wrong", [{"p": 0}, {"s": 0}, {"p": None}, {"s": "x"}, {"t": None}], ids=str)
def test_a_trade_without_price_size_or_time_is_none(wrong: Row) -> None:
    assert trade("AAPL", TRADE | wrong, NOW) is None


# -- the newest quotes by the SDK ---------------------------------------------------------------------------


def snapshot(ticker: str, bid: object, ask: object, **sizes: object) -> Row:
    return {"ticker": ticker, "last_quote": {"bid": bid, "ask": ask, "last_updated": T * 1_000_000, **sizes}}


async def test_the_newest_quotes_of_all_markets_cost_one_request() -> None:
    async with polygon_market() as (polygon, provider, _):
        polygon.snapshots = {
            "AAPL": snapshot("AAPL", 187.25, 187.27, bid_size=200, ask_size=100),
            "C:EURUSD": snapshot("C:EURUSD", 1.087, 1.0871),
            "X:BTCUSD": {"ticker": "X:BTCUSD"},
        }
        found = await provider.latest_quotes(["EUR/USD", "AAPL", "BTC/USD", "NOPE", "no such"])

        assert sorted(found, key=lambda one: one.symbol) == [
            Quote("AAPL", D("187.25"), D(200), D("187.27"), D(100), NOW),
            TopOfBook("EUR/USD", D("1.087"), None, D("1.0871"), None, NOW),
        ]
        assert len(polygon.requests) == 1


async def test_many_symbols_are_asked_for_by_the_250() -> None:
    async with polygon_market() as (polygon, provider, _):
        symbols = [f"A{n}" for n in range(600)]
        polygon.snapshots = {name: snapshot(name, 10, 11) for name in symbols}

        assert {one.symbol for one in await provider.latest_quotes(symbols)} == set(symbols)
        assert len(polygon.requests) == 3


async def test_an_empty_or_crossed_snapshot_is_no_quote() -> None:
    async with polygon_market() as (polygon, provider, _):
        old = timedelta(days=3)
        polygon.snapshots = {
            "A": snapshot("A", 0, 0, bid_size=0, ask_size=0),
            "B": snapshot("B", 11, 10),
            "C": snapshot("C", 10, 11, last_updated=milliseconds(NOW - old) * 1_000_000),
        }
        (found,) = await provider.latest_quotes(["A", "B", "C"])

        assert (found.symbol, found.quote_time) == ("C", NOW - old)
