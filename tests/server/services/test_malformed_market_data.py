"""How MarketDataService refuses what is malformed, unknown or not built, over the wire."""

from datetime import timedelta
from typing import Any

import grpc
import pytest

from quantmesh.marketdata.v1 import bar_pb2
from quantmesh.marketdata.v1.instrument_query_pb2 import (
    GetInstrumentRequest,
    ListInstrumentsRequest,
    SearchInstrumentsRequest,
)
from quantmesh.marketdata.v1.market_data_query_pb2 import (
    BatchGetQuotesRequest,
    GetOrderBookRequest,
    GetQuoteRequest,
    ListBarsRequest,
)
from quantmesh.marketdata.v1.market_data_stream_pb2 import (
    StreamBarsRequest,
    StreamQuotesRequest,
    StreamTradesRequest,
)
from tests.server.market_rig import market
from tests.server.rig import refusal
from tests.support.market import FRIDAY_NOON

NOON = FRIDAY_NOON.replace(microsecond=0)
MINUTES = bar_pb2.BAR_INTERVAL_ONE_MINUTE

ONE_OF_EACH: dict[str, Any] = {
    "GetInstrument": GetInstrumentRequest(symbol="AAPL"),
    "SearchInstruments": SearchInstrumentsRequest(query="a"),
    "ListInstruments": ListInstrumentsRequest(),
    "GetQuote": GetQuoteRequest(symbol="AAPL"),
    "GetOrderBook": GetOrderBookRequest(symbol="AAPL"),
    "ListBars": ListBarsRequest(symbol="AAPL", interval=MINUTES),
    "StreamQuotes": StreamQuotesRequest(symbols=["AAPL"]),
    "StreamTrades": StreamTradesRequest(symbols=["AAPL"]),
    "StreamBars": StreamBarsRequest(symbols=["AAPL"], interval=MINUTES),
}


def but(rpc: str, **fields: Any) -> Any:
    """The good request of `rpc`, with other values in `fields`."""
    request = type(ONE_OF_EACH[rpc])()
    request.CopyFrom(ONE_OF_EACH[rpc])
    for field in fields:
        request.ClearField(field)
    request.MergeFrom(type(request)(**fields))
    return request


@pytest.mark.parametrize("rpc", ONE_OF_EACH)
async def test_a_provider_that_is_not_there_is_not_found(rpc: str) -> None:
    async with market() as rig:
        refused = await refusal(getattr(rig.stub, rpc)(but(rpc, provider="other")))
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "PROVIDER_NOT_FOUND")
        assert refused.metadata == {"provider": "other"}


@pytest.mark.parametrize("rpc", [rpc for rpc, good in ONE_OF_EACH.items() if hasattr(good, "symbol")])
async def test_an_unknown_symbol_is_not_found_by_name(rpc: str) -> None:
    async with market() as rig:
        refused = await refusal(getattr(rig.stub, rpc)(but(rpc, symbol="NOPE")))
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "INSTRUMENT_NOT_FOUND")
        assert refused.metadata == {"symbol": "NOPE", "provider": "simulated"}


@pytest.mark.parametrize("rpc", [rpc for rpc, good in ONE_OF_EACH.items() if hasattr(good, "symbols")])
async def test_a_stream_with_one_unknown_symbol_is_refused_and_names_it(rpc: str) -> None:
    async with market() as rig:
        refused = await refusal(getattr(rig.stub, rpc)(but(rpc, symbols=["AAPL", "NOPE"])))
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "INSTRUMENT_NOT_FOUND")
        assert refused.metadata == {"symbol": "NOPE", "provider": "simulated"}


@pytest.mark.parametrize("rpc", ["GetQuote", "GetOrderBook"])
async def test_a_known_instrument_without_a_market_has_a_reason_of_its_own(rpc: str) -> None:
    async with market(hidden=["AAPL"]) as rig:
        refused = await refusal(getattr(rig.stub, rpc)(ONE_OF_EACH[rpc]))
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "MARKET_DATA_NOT_FOUND")


@pytest.mark.parametrize(
    ("rpc", "fields", "field"),
    [
        ("GetInstrument", {"symbol": ""}, "symbol"),
        ("GetInstrument", {"symbol": "aapl"}, "symbol"),
        ("GetInstrument", {"provider": "Bad Name"}, "provider"),
        ("SearchInstruments", {"query": ""}, "query"),
        ("SearchInstruments", {"query": "  "}, "query"),
        ("SearchInstruments", {"query": "x" * 65}, "query"),
        ("SearchInstruments", {"page_size": -1}, "page_size"),
        ("SearchInstruments", {"page_token": "nonsense"}, "page_token"),
        ("ListInstruments", {"page_size": 1_001}, "page_size"),
        ("ListInstruments", {"asset_class": 99}, "asset_class"),
        ("ListInstruments", {"currency": "us dollars"}, "currency"),
        ("ListInstruments", {"page_token": "nonsense"}, "page_token"),
        ("GetQuote", {"symbol": "A" * 33}, "symbol"),
        ("GetQuote", {"max_age": timedelta(days=2)}, "max_age"),
        ("GetQuote", {"max_age": timedelta(seconds=-1)}, "max_age"),
        ("GetOrderBook", {"depth": 1_001}, "depth"),
        ("GetOrderBook", {"depth": -1}, "depth"),
        ("ListBars", {"interval": 0}, "interval"),
        ("ListBars", {"interval": 99}, "interval"),
        ("ListBars", {"page_size": 10_001}, "page_size"),
        ("ListBars", {"page_token": "nonsense"}, "page_token"),
        ("ListBars", {"start_time": NOON, "end_time": NOON}, "request"),
        ("ListBars", {"start_time": NOON.replace(year=1800)}, "start_time"),
        ("StreamQuotes", {"symbols": []}, "symbols"),
        ("StreamQuotes", {"symbols": ["AAPL", "AAPL"]}, "symbols"),
        ("StreamQuotes", {"symbols": [f"S{number}" for number in range(1_001)]}, "symbols"),
        ("StreamQuotes", {"symbols": ["AAPL", "bad symbol"]}, "symbols[1]"),
        ("StreamQuotes", {"heartbeat_interval": timedelta(milliseconds=99)}, "heartbeat_interval"),
        ("StreamQuotes", {"min_interval": timedelta(seconds=61)}, "min_interval"),
        ("StreamTrades", {"symbols": []}, "symbols"),
        ("StreamTrades", {"heartbeat_interval": timedelta(seconds=301)}, "heartbeat_interval"),
        ("StreamBars", {"interval": 0}, "interval"),
        ("StreamBars", {"start_time": NOON.replace(year=2101)}, "start_time"),
    ],
    ids=str,
)
async def test_a_malformed_field_is_named_with_its_rule(rpc: str, fields: dict[str, Any], field: str) -> None:
    async with market() as rig:
        refused = await refusal(getattr(rig.stub, rpc)(but(rpc, **fields)))
        assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
        assert refused.reason == ("INVALID_PAGE_TOKEN" if field == "page_token" else "INVALID_REQUEST")
        assert [name for name, rule in refused.fields.items() if rule] == [field]


async def test_a_page_token_is_good_only_for_the_list_that_gave_it() -> None:
    async with market() as rig:
        given = await rig.stub.ListInstruments(ListInstrumentsRequest(page_size=1))
        for call in (
            rig.stub.ListInstruments(ListInstrumentsRequest(currency="USD", page_token=given.next_page_token)),
            rig.stub.SearchInstruments(SearchInstrumentsRequest(query="a", page_token=given.next_page_token)),
            rig.stub.ListBars(but("ListBars", page_token=given.next_page_token)),
        ):
            assert (await refusal(call)).reason == "INVALID_PAGE_TOKEN"


async def test_too_many_symbols_in_a_batch_are_malformed() -> None:
    async with market() as rig:
        for symbols in ([], ["AAPL", "AAPL"], [f"S{number}" for number in range(1_001)]):
            refused = await refusal(rig.stub.BatchGetQuotes(BatchGetQuotesRequest(symbols=symbols)))
            assert (refused.code, list(refused.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, ["symbols"])
