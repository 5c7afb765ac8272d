import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from adapters.market_data.conventions import CRYPTO_HOURS, US_EQUITY_HOURS
from domain.errors import PreconditionFailed, Unavailable
from domain.market_data.instrument import NO_MAXIMUM, AssetClass, Instrument, InstrumentStatus
from tests.support.vendors.alpaca_data import asset, body, status
from tests.support.vendors.alpaca_provider import Alpaca, alpaca

AAPL = Instrument(
    symbol="AAPL",
    name="Apple Inc. Common Stock",
    asset_class=AssetClass.EQUITY,
    currency="USD",
    venue="XNAS",
    tick_size=Decimal("0.01"),
    lot_size=Decimal(1),
    min_quantity=Decimal(1),
    max_quantity=NO_MAXIMUM,
    hours=US_EQUITY_HOURS,
    shortable=True,
)
BITCOIN = Instrument(
    symbol="BTC/USD",
    name="Bitcoin / US Dollar",
    asset_class=AssetClass.CRYPTO,
    currency="USD",
    venue="Alpaca",
    tick_size=Decimal("0.01"),
    lot_size=Decimal("0.0001"),
    min_quantity=Decimal("0.0003"),
    max_quantity=NO_MAXIMUM,
    hours=CRYPTO_HOURS,
    base_currency="BTC",
)
BITCOIN_ROW = asset(
    "BTC/USD",
    vendor_class="crypto",
    exchange="CRYPTO",
    name="Bitcoin / US Dollar",
    shortable=False,
    min_order_size="0.00023",
    min_trade_increment="0.0001",
    price_increment="0.01",
)


@pytest.fixture
async def market() -> AsyncIterator[Alpaca]:
    async with alpaca(catalogue_seconds=600) as market:
        market.server.assets = [BITCOIN_ROW, asset("AAPL", name="Apple Inc. Common Stock")]
        yield market


async def test_the_catalogue_has_stocks_and_crypto_by_symbol(market: Alpaca) -> None:
    assert await market.provider.instruments() == [AAPL, BITCOIN]


async def test_it_is_read_once_for_all_who_ask_and_again_when_it_is_old(market: Alpaca) -> None:
    found = await asyncio.gather(*(market.provider.instrument("AAPL") for _ in range(20)))
    assert found == [AAPL] * 20
    assert len(market.server.requests) == 2

    market.server.assets.append(asset("MSFT"))
    assert len(await market.provider.instruments()) == 2
    market.clock.advance(600)
    assert len(await market.provider.instruments()) == 3
    assert len(market.server.requests) == 4


async def test_what_is_listed_no_more_is_found_by_its_symbol(market: Alpaca) -> None:
    market.server.assets.append(asset("TWTR", status="inactive", exchange="NYSE", shortable=False, tradable=False))

    found = await market.provider.instrument("TWTR")

    assert found is not None
    assert (found.status, found.venue) == (InstrumentStatus.DELISTED, "XNYS")
    assert "TWTR" not in [one.symbol for one in await market.provider.instruments()]


async def test_an_unknown_symbol_is_asked_for_once_a_minute(market: Alpaca) -> None:
    for symbol in ("NOSUCH", "NO/SUCH", "NOSUCH"):
        assert await market.provider.instrument(symbol) is None
    assert len(market.server.requests) == 4

    market.server.assets.append(asset("NOSUCH"))
    market.clock.advance(61)
    assert await market.provider.instrument("NOSUCH") is not None


async def test_what_is_no_symbol_is_not_asked_for(market: Alpaca) -> None:
    for symbol in ("", "aapl", "../account", "A B", "X" * 40):
        assert await market.provider.instrument(symbol) is None
    assert {path for path, _ in market.server.requests} == {"/v2/assets"}


@pytest.mark.parametrize(
    ("row", "asset_class"),
    [
        ({"exchange": "ARCA", "name": "SPDR S&P 500"}, AssetClass.ETF),
        ({"exchange": "NASDAQ", "name": "iShares 20+ Year Treasury Bond ETF"}, AssetClass.ETF),
        ({"exchange": "NYSE", "name": "Netflix Inc."}, AssetClass.EQUITY),
    ],
)
async def test_funds_are_told_by_their_exchange_and_name(
    market: Alpaca, row: dict[str, Any], asset_class: AssetClass
) -> None:
    market.server.assets = [asset("SYM", **row)]

    (found,) = await market.provider.instruments()

    assert found.asset_class is asset_class


async def test_one_that_may_not_be_traded_is_marked(market: Alpaca) -> None:
    market.server.assets = [asset("AAPL", name="Apple Inc. Common Stock", tradable=False, shortable=None)]

    assert await market.provider.instruments() == [replace(AAPL, status=InstrumentStatus.NOT_TRADABLE, shortable=False)]


async def test_rows_that_make_no_sense_are_left_out(market: Alpaca) -> None:
    broken = [None, 5, {}, asset("aapl"), asset("A/B"), {**asset("X"), "exchange": None}]
    odd = asset("MSFT", name=None)
    market.server.answers.append(body(json.dumps([*broken, odd])))

    assert [one.symbol for one in await market.provider.instruments()] == ["BTC/USD", "MSFT"]


async def test_grids_that_make_no_sense_are_the_usual_ones(market: Alpaca) -> None:
    market.server.assets = [{**BITCOIN_ROW, "min_trade_increment": "0", "price_increment": None, "min_order_size": -1}]

    (found,) = await market.provider.instruments()

    assert (found.tick_size, found.lot_size, found.min_quantity) == (Decimal("1E-8"), Decimal("1E-8"), Decimal("1E-8"))


async def test_half_a_catalogue_is_none(market: Alpaca) -> None:
    market.server.answers.extend([None, status(500)])

    with pytest.raises(Unavailable):
        await market.provider.instruments()
    assert await market.provider.instruments() == [AAPL, BITCOIN]


@pytest.mark.parametrize("text", ["{}", "null", '"none"', "5"])
async def test_a_list_that_is_none_is_unavailable(market: Alpaca, text: str) -> None:
    market.server.answers.append(body(text))

    with pytest.raises(Unavailable, match="makes no sense"):
        await market.provider.instruments()


async def test_an_old_catalogue_serves_while_no_newer_one_can_be_had(market: Alpaca) -> None:
    await market.provider.instruments()
    market.clock.advance(601)
    market.server.answers.append(status(429))

    assert await market.provider.instruments() == [AAPL, BITCOIN]
    assert await market.provider.instrument("AAPL") == AAPL
    assert len(market.server.requests) == 3
    market.clock.advance(61)
    await market.provider.instruments()
    assert len(market.server.requests) == 5


async def test_a_refused_key_is_told_also_when_there_is_an_old_catalogue(market: Alpaca) -> None:
    await market.provider.instruments()
    market.clock.advance(601)
    market.server.answers.append(status(401))

    with pytest.raises(PreconditionFailed, match="QUANTMESH_ALPACA_KEY_ID"):
        await market.provider.instruments()
