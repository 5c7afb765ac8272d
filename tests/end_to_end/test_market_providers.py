"""Which provider serves what, and what becomes of a request to one that cannot: seen over the wire."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import pytest
import pytest_asyncio

from quantmesh.marketdata.v1.bar_pb2 import BAR_INTERVAL_ONE_DAY
from quantmesh.marketdata.v1.instrument_query_pb2 import (
    GetInstrumentRequest,
    ListInstrumentsRequest,
    SearchInstrumentsRequest,
)
from quantmesh.marketdata.v1.market_data_query_pb2 import BatchGetQuotesRequest
from quantmesh.marketdata.v1.provider_pb2 import ListProvidersRequest
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest
from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_type_pb2 import MarketOrder
from quantmesh.type.v1.side_pb2 import SIDE_BUY
from tests.end_to_end.books import read_all
from tests.end_to_end.refusals import read
from tests.end_to_end.vendor_desk import (
    DAY,
    MINUTE,
    SIMULATED,
    Desk,
    alpaca_quote,
    alpaca_settings,
    bars,
    opens,
    polygon_settings,
    polygon_vendor,
    prices,
    quote,
    refused,
    serving,
    snapshot,
    stock,
    utc,
)
from tests.support.server import Site, free_port
from tests.support.vendors.alpaca_data import AlpacaServer, asset, minutes
from tests.support.vendors.polygon import FakePolygon
from tests.support.vendors.polygon_market import NOW, OPEN, rows
from tests.support.vendors.yahoo import FakeYahoo
from tests.support.vendors.yahoo_chart import Traded
from tests.support.vendors.yahoo_market import apple

_NAMES: Final = ["alpaca", "ccxt", "polygon", "remote", "replay", "simulated", "yfinance"]
_REMEDIES: Final = {
    "alpaca": "QUANTMESH_ALPACA_KEY_ID=... QUANTMESH_ALPACA_SECRET_KEY=...",
    "polygon": "QUANTMESH_POLYGON_API_KEY=...",
    "remote": "QUANTMESH_REMOTE_ADDRESS=...",
    "replay": "QUANTMESH_REPLAY_FOLDER=...",
}
_SDKS: Final = {"massive", "alpaca", "ccxt", "yfinance", "curl_cffi", "pandas", "pyarrow", "redis", "talib"}
# What Python writes for each module that it imports when PYTHONPROFILEIMPORTTIME is set.
_IMPORTED: Final = re.compile(r"^import time: +\d+ \| +\d+ \| *([\w.]+)$", re.MULTILINE)
_NOWHERE: Final = "http://127.0.0.1:{}"


def _imported(desk: Desk) -> set[str]:
    """The SDKs that the server's process has imported so far."""
    return {name.partition(".")[0] for name in _IMPORTED.findall(desk.server.log)} & _SDKS


# -- providers that are not set up ------------------------------------------------------------------------------


async def test_a_server_that_was_told_nothing_lists_all_providers_and_what_each_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    async with serving(Site(tmp_path)) as desk:
        providers = (await desk.client.market.ListProviders(ListProvidersRequest())).providers
        assert [one.name for one in providers] == _NAMES
        assert {one.name: one.remedy for one in providers if not one.available} == _REMEDIES
        assert all(bool(one.unavailable_reason) is not one.available for one in providers)
        assert [one.name for one in providers if one.default_provider] == ["simulated"]
        assert all(one.capabilities.bars and one.capabilities.asset_classes for one in providers)

        for name, remedy in _REMEDIES.items():
            for call in _each_request(desk, name):
                refusal = await refused(call)
                assert (refusal.code, refusal.reason) == (
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "PROVIDER_NOT_CONFIGURED",
                )
                assert remedy in refusal.message
                assert refusal.metadata["provider"] == name
        unknown = await refused(desk.client.market.GetInstrument(GetInstrumentRequest(symbol="X", provider="x")))
        assert unknown.reason == "PROVIDER_NOT_FOUND"

        assert "server.bootstrap" in _IMPORTED.findall(desk.server.log), "imports are not told"
        assert not _imported(desk)


def _each_request(desk: Desk, provider: str) -> list[Any]:
    market = desk.client.market
    return [
        market.GetInstrument(GetInstrumentRequest(symbol="AAPL", provider=provider)),
        market.ListInstruments(ListInstrumentsRequest(provider=provider)),
        market.SearchInstruments(SearchInstrumentsRequest(query="apple", provider=provider)),
        quote(desk.client, "AAPL", provider),
        bars(desk.client, "AAPL", provider=provider),
    ]


async def test_with_vendors_and_a_cache_that_are_out_of_reach_the_server_serves_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    nowhere = _NOWHERE.format(free_port())
    settings = {
        "polygon_api_key": "a-key",
        "polygon_url": nowhere,
        "polygon_timeout_seconds": 1,
        "yfinance_proxy": nowhere,
        "market_routes": "AAPL=polygon",
        "market_cache": f"redis://127.0.0.1:{free_port()}/0",
    }
    async with serving(Site(tmp_path), **settings) as desk:
        assert (await quote(desk.client, SIMULATED)).provider == "simulated"
        assert (await bars(desk.client, SIMULATED)).bars
        assert "massive" not in _imported(desk)

        for call in _each_request(desk, "polygon"):
            refusal = await refused(call)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "MARKET_DATA_UNAVAILABLE")
            assert refusal.retry
        assert "massive" in _imported(desk)
        assert not _imported(desk) & {"alpaca", "ccxt", "yfinance"}
        assert (await refused(bars(desk.client, "AAPL", provider="yfinance"))).reason == "MARKET_DATA_UNAVAILABLE"

        await desk.client.accounts.CreateAccount(
            CreateAccountRequest(account_id="a", broker="paper", base_currency="USD", starting_cash="100000")
        )
        order = NewOrder(client_order_id="1", symbol=SIMULATED, side=SIDE_BUY, quantity="1", market=MarketOrder())
        await desk.client.orders.PlaceOrder(PlaceOrderRequest(account_id="a", order=order))


# -- routes ------------------------------------------------------------------------------------------------------


class Routed(NamedTuple):
    desk: Desk
    polygon: FakePolygon
    alpaca: AlpacaServer
    yahoo: FakeYahoo


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def routed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Routed]:
    """Apple is Polygon's, bitcoin Alpaca's; all else is simulated, and Yahoo is there to be asked."""
    folder = tmp_path_factory.mktemp("routed")
    async with polygon_vendor() as polygon, AlpacaServer().running() as alpaca, FakeYahoo(folder, NOW) as yahoo:
        polygon.tickers = [stock("AAPL", "Apple of Polygon"), stock("PEAR", "Pear of Polygon")]
        alpaca.assets = [asset("AAPL"), asset("BTC/USD", vendor_class="crypto", exchange="CRYPTO", name="Bitcoin")]
        settings = {
            **polygon_settings(polygon),
            **alpaca_settings(alpaca),
            "yfinance_proxy": yahoo.proxy,
            "yfinance_ca_file": yahoo.ca_file,
            "market_routes": "AAPL=polygon, BTC/*=alpaca",
        }
        async with serving(Site(folder), **settings) as desk:
            now = await desk.now()
            polygon.snapshots["AAPL"] = snapshot("AAPL", 187.25, 187.27, now)
            polygon.aggregates["AAPL", 1, "minute"] = rows(OPEN, MINUTE, 30)
            alpaca.quotes["AAPL"] = alpaca_quote(187.24, 187.28, now)
            alpaca.quotes["BTC/USD"] = alpaca_quote(70_000, 70_010, now)
            alpaca.minutes["BTC/USD"], alpaca.now = minutes(OPEN, 30), NOW
            yield Routed(desk, polygon, alpaca, yahoo)


async def test_each_instrument_is_served_by_the_provider_of_its_route(routed: Routed) -> None:
    client = routed.desk.client
    quotes = {symbol: await quote(client, symbol) for symbol in ("AAPL", "BTC/USD", SIMULATED)}
    assert [one.provider for one in quotes.values()] == ["polygon", "alpaca", "simulated"]
    assert [quotes["AAPL"].bid_price, quotes["AAPL"].ask_price] == ["187.25", "187.27"]
    assert [quotes["BTC/USD"].bid_price, quotes["BTC/USD"].ask_price] == ["70000", "70010"]
    batch = await client.market.BatchGetQuotes(BatchGetQuotesRequest(symbols=[*quotes, "NOPE", "BTC/XYZ"]))
    assert [one.provider for one in batch.quotes] == ["polygon", "alpaca", "simulated"]
    assert [(one.symbol, read(one.status).reason) for one in batch.failures] == [
        ("NOPE", "INSTRUMENT_NOT_FOUND"),
        ("BTC/XYZ", "INSTRUMENT_NOT_FOUND"),
    ]
    for symbol, provider in (("AAPL", "polygon"), ("BTC/USD", "alpaca")):
        listed = await bars(client, symbol, OPEN, OPEN + 30 * MINUTE)
        assert opens(listed) == [OPEN + n * MINUTE for n in range(30)]
        assert {bar.provider for bar in listed.bars} == {provider}
        assert not listed.gaps
    assert {bar.provider for bar in (await bars(client, SIMULATED)).bars} == {"simulated"}


async def test_a_request_may_name_another_provider_than_that_of_the_route(routed: Routed) -> None:
    client, yahoo = routed.desk.client, routed.yahoo
    listing = yahoo.list(apple())

    bids = {name: (await quote(client, "AAPL", name)).bid_price for name in ("", "polygon", "alpaca")}
    assert bids == {"": "187.25", "polygon": "187.25", "alpaca": "187.24"}
    assert (await quote(client, "AAPL", "simulated")).provider == "simulated"

    ends = datetime(2024, 6, 8, tzinfo=UTC)
    daily = await bars(client, "AAPL", ends - 7 * DAY, ends, BAR_INTERVAL_ONE_DAY, provider="yfinance")
    assert {bar.provider for bar in daily.bars} == {"yfinance"}
    traded = {row.at: row for row in listing.candles["1d"]}
    assert [prices(bar) for bar in daily.bars] == [
        tuple(Decimal(value) for value in traded[utc(bar.open_time)][1:6]) for bar in daily.bars
    ]
    assert len(daily.bars) == 5
    traded_today = Traded(OPEN, "200", "201", "199", "200", 100)
    listing.candles["1d"] = (traded_today._replace(at=OPEN - DAY),)
    listing.candles["1m"] = [traded_today._replace(at=OPEN + n * MINUTE) for n in range(150)]
    assert len((await bars(client, "AAPL", provider="yfinance")).bars) == 150
    to_now = [query for query in yahoo.queries if int(query.get("period2", 0)) >= NOW.timestamp()]
    assert len(to_now) == 1, "it was asked for what passes while it answers"
    quoted = await refused(quote(client, "AAPL", "yfinance"))
    assert (quoted.code, quoted.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_NOT_CAPABLE")


async def test_the_catalogue_has_each_instrument_once_as_its_own_provider_describes_it(routed: Routed) -> None:
    market = routed.desk.client.market

    listed = await read_all(market.ListInstruments, ListInstrumentsRequest(), "instruments")
    providers = {one.symbol: one.provider for one in listed}
    assert len(providers) == len(listed) > 10
    assert [one.symbol for one in listed] == sorted(providers)
    assert {symbol for symbol, name in providers.items() if name != "simulated"} == {"AAPL", "BTC/USD"}
    assert (providers["AAPL"], providers["BTC/USD"]) == ("polygon", "alpaca")

    of_polygon = await read_all(market.ListInstruments, ListInstrumentsRequest(provider="polygon"), "instruments", 1)
    assert [(one.symbol, one.name) for one in of_polygon] == [
        ("AAPL", "Apple of Polygon"),
        ("PEAR", "Pear of Polygon"),
    ]
    for query, provider, found in (
        ("bitcoin", "", ["BTC/USD"]),
        ("pear", "", []),
        ("pear", "polygon", ["PEAR"]),
        ("AAPL", "alpaca", ["AAPL"]),
    ):
        answer = await market.SearchInstruments(SearchInstrumentsRequest(query=query, provider=provider))
        assert [one.symbol for one in answer.instruments if one.provider != "simulated"] == found
    one = (await market.GetInstrument(GetInstrumentRequest(symbol="AAPL"))).instrument
    assert (one.provider, one.name) == ("polygon", "Apple of Polygon")
    other = (await market.GetInstrument(GetInstrumentRequest(symbol="AAPL", provider="alpaca"))).instrument
    assert (other.provider, other.name) == ("alpaca", "AAPL Inc.")
