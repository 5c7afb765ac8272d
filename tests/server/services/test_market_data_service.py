"""The RPCs of MarketDataService that answer once, over the wire."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import ErrorInfo

from quantmesh.marketdata.v1 import bar_pb2, instrument_pb2, provider_pb2
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
from server.mapping.common import to_timestamp
from tests.server.market_rig import SERVICE, MarketRig, market
from tests.server.rig import refusal
from tests.support.market import FRIDAY_NOON

NOON = FRIDAY_NOON.replace(microsecond=0)
MINUTE = timedelta(minutes=1)
MINUTES = bar_pb2.BAR_INTERVAL_ONE_MINUTE


# -- instruments -------------------------------------------------------------------------------------------


async def test_an_instrument_is_described_with_its_grid_its_week_and_its_clock() -> None:
    async with market() as rig:
        share = (await rig.stub.GetInstrument(GetInstrumentRequest(symbol="AAPL"))).instrument
        assert (share.symbol, share.name, share.currency, share.venue) == ("AAPL", "Apple Inc.", "USD", "XNAS")
        assert (share.asset_class, share.status) == (
            instrument_pb2.ASSET_CLASS_EQUITY,
            instrument_pb2.INSTRUMENT_STATUS_ACTIVE,
        )
        assert (share.tick_size, share.lot_size, share.multiplier, share.provider) == ("0.01", "1", "1", "simulated")
        (session,) = share.sessions
        assert (session.open, session.close, share.time_zone) == ("09:30", "16:00", "America/New_York")
        assert list(session.days) == [1, 2, 3, 4, 5]
        assert "2026-11-26" in [holiday.date for holiday in share.holidays]
        assert share.market_open
        assert share.next_change_time.ToDatetime() == NOON.replace(hour=21, tzinfo=None)

        pair = (await rig.stub.GetInstrument(GetInstrumentRequest(symbol="BTC/USD"))).instrument
        assert (pair.base_currency, pair.currency, pair.market_open) == ("BTC", "USD", True)
        assert not pair.HasField("next_change_time")


async def test_search_finds_by_symbol_and_name_best_match_first_and_in_pages() -> None:
    async with market() as rig:
        found: list[str] = []
        token = ""
        while True:
            request = SearchInstrumentsRequest(query="v", page_size=4, page_token=token)
            page = await rig.stub.SearchInstruments(request)
            found += [instrument.symbol for instrument in page.instruments]
            token = page.next_page_token
            if not token:
                break
        assert found[:2] == ["V", "VOD"]
        assert len(found) == len(set(found)) == 11
        everything = await rig.stub.SearchInstruments(SearchInstrumentsRequest(query="V"))
        assert [instrument.symbol for instrument in everything.instruments] == found


async def test_nothing_found_is_an_empty_list_and_no_error() -> None:
    async with market() as rig:
        search, listing = rig.stub.SearchInstruments, rig.stub.ListInstruments
        assert not (await search(SearchInstrumentsRequest(query="no such thing"))).instruments
        futures = instrument_pb2.ASSET_CLASS_FUTURE
        assert not (await search(SearchInstrumentsRequest(query="a", asset_class=futures))).instruments
        assert not (await listing(ListInstrumentsRequest(asset_class=futures))).instruments
        halted = instrument_pb2.INSTRUMENT_STATUS_HALTED
        assert not (await listing(ListInstrumentsRequest(status=halted))).instruments
        assert not (await listing(ListInstrumentsRequest(venue="XNOWHERE"))).instruments


async def test_the_catalogue_is_listed_by_symbol_filtered_and_in_pages() -> None:
    async with market() as rig:
        listed: list[Any] = []
        token = ""
        while True:
            request = ListInstrumentsRequest(currency="EUR", page_size=3, page_token=token)
            page = await rig.stub.ListInstruments(request)
            listed += page.instruments
            token = page.next_page_token
            if not token:
                break
        symbols = [instrument.symbol for instrument in listed]
        assert symbols == sorted(symbols)
        assert {instrument.currency for instrument in listed} == {"EUR"}
        assert len(symbols) > 3
        assert len((await rig.stub.ListInstruments(ListInstrumentsRequest())).instruments) > 60


async def test_the_one_provider_says_what_it_can_do() -> None:
    async with market() as rig:
        (provider,) = (await rig.stub.ListProviders(provider_pb2.ListProvidersRequest())).providers
        able = provider.capabilities
        assert (provider.name, provider.available, provider.default_provider) == ("simulated", True, True)
        assert list(able.asset_classes) == [1, 2, 3, 4]
        assert {bars.interval for bars in able.bars} == set(bar_pb2.BarInterval.values()) - {0}
        assert set(able.stream_kinds) == set(provider_pb2.DataKind.values()) - {0}
        assert provider_pb2.DATA_KIND_TRADES not in able.request_kinds
        assert list(able.adjustments) == [bar_pb2.PRICE_ADJUSTMENT_RAW]


# -- quotes and order books --------------------------------------------------------------------------------


async def test_a_quote_has_both_sides_with_sizes_and_its_time() -> None:
    async with market() as rig:
        quote = (await rig.stub.GetQuote(GetQuoteRequest(symbol="AAPL", max_age=Duration(seconds=1)))).quote
        assert Decimal(quote.bid_price) < Decimal(quote.ask_price)
        assert Decimal(quote.bid_size) > 0 < Decimal(quote.ask_size)
        assert quote.quote_time.ToDatetime() == NOON.replace(tzinfo=None)
        assert (quote.provider, quote.merged_count) == ("simulated", 0)


async def test_a_quote_that_cannot_be_had_young_enough_is_unavailable_and_worth_another_try() -> None:
    async with market() as rig:
        await rig.stub.GetQuote(GetQuoteRequest(symbol="AAPL"))
        rig.provider.connected = False
        rig.clock.advance(60)
        old = await refusal(rig.stub.GetQuote(GetQuoteRequest(symbol="AAPL", max_age=Duration(seconds=59))))
        assert (old.code, old.reason) == (grpc.StatusCode.UNAVAILABLE, "MARKET_DATA_UNAVAILABLE")
        assert old.metadata["symbol"] == "AAPL"
        assert old.retry_seconds > 0
        assert (await rig.stub.GetQuote(GetQuoteRequest(symbol="AAPL"))).quote.symbol == "AAPL"


async def test_many_quotes_come_in_order_and_each_failure_has_the_status_of_a_single_call() -> None:
    async with market(hidden=["MSFT"]) as rig:
        answer = await rig.stub.BatchGetQuotes(BatchGetQuotesRequest(symbols=["NVDA", "NOPE", "AAPL", "MSFT"]))
        assert [quote.symbol for quote in answer.quotes] == ["NVDA", "AAPL"]
        reasons = []
        for failure in answer.failures:
            info = ErrorInfo()
            assert failure.status.details[0].Unpack(info)
            reasons.append((failure.symbol, failure.status.code, info.reason, info.metadata["symbol"]))
        not_found = grpc.StatusCode.NOT_FOUND.value[0]
        assert reasons == [
            ("NOPE", not_found, "INSTRUMENT_NOT_FOUND", "NOPE"),
            ("MSFT", not_found, "MARKET_DATA_NOT_FOUND", "MSFT"),
        ]


@pytest.mark.parametrize(("depth", "levels"), [(0, 10), (1, 1), (250, 250)])
async def test_an_order_book_has_as_many_levels_as_asked_for_and_ten_by_itself(depth: int, levels: int) -> None:
    async with market() as rig:
        book = (await rig.stub.GetOrderBook(GetOrderBookRequest(symbol="AAPL", depth=depth))).order_book
        bids = [Decimal(level.price) for level in book.bids]
        asks = [Decimal(level.price) for level in book.asks]
        assert (len(bids), len(asks)) == (levels, levels)
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        quote = (await rig.stub.GetQuote(GetQuoteRequest(symbol="AAPL"))).quote
        assert (book.bids[0].price, book.asks[0].price) == (quote.bid_price, quote.ask_price)
        assert book.received_time.ToDatetime() == FRIDAY_NOON.replace(tzinfo=None)


# -- bars --------------------------------------------------------------------------------------------------


async def listed(rig: MarketRig, **request: Any) -> list[bar_pb2.Bar]:
    """Every page of a list of bars."""
    bars: list[bar_pb2.Bar] = []
    token = ""
    while True:
        page = await rig.stub.ListBars(ListBarsRequest(page_token=token, **request))
        bars += page.bars
        token = page.next_page_token
        if not token:
            return bars


@pytest.mark.parametrize("interval", [number for number in bar_pb2.BarInterval.values() if number])
async def test_bars_of_every_interval_come_oldest_first_the_running_one_last(interval: Any) -> None:
    async with market(FRIDAY_NOON + timedelta(seconds=20, milliseconds=900)) as rig:
        bars = await listed(rig, symbol="AAPL", interval=interval, page_size=5)
        assert len(bars) == 5
        assert {bar.interval for bar in bars} == {interval}
        opens = [bar.open_time.ToDatetime() for bar in bars]
        assert opens == sorted(set(opens))
        assert not any(bar.partial for bar in bars[:-1])
        now = rig.clock.now().replace(tzinfo=None)
        assert bars[-1].partial == (bars[-1].close_time.ToDatetime() > now)
        for bar in bars:
            low, high = Decimal(bar.low), Decimal(bar.high)
            assert low <= min(Decimal(bar.open), Decimal(bar.close))
            assert max(Decimal(bar.open), Decimal(bar.close)) <= high
            assert (bar.adjustment, bar.provider) == (bar_pb2.PRICE_ADJUSTMENT_RAW, "simulated")
            assert bar.trade_count > 0 < Decimal(bar.volume)


async def test_pages_of_bars_are_the_list_as_it_was_when_the_first_was_read() -> None:
    async with market() as rig:
        request: dict[str, Any] = {
            "symbol": "AAPL",
            "interval": MINUTES,
            "start_time": to_timestamp(NOON - 10 * MINUTE),
        }
        first = await rig.stub.ListBars(ListBarsRequest(page_size=4, **request))
        rig.clock.advance(300)
        rest: list[bar_pb2.Bar] = []
        token = first.next_page_token
        while token:
            page = await rig.stub.ListBars(ListBarsRequest(page_size=4, page_token=token, **request))
            rest += page.bars
            token = page.next_page_token
        opens = [bar.open_time.seconds for bar in (*first.bars, *rest)]
        assert opens == [int((NOON - count * MINUTE).timestamp()) for count in range(10, -1, -1)]


async def test_a_span_without_a_trade_has_no_bar_but_is_shown_as_a_gap() -> None:
    async with market() as rig:
        request = ListBarsRequest(symbol="AAPL", interval=bar_pb2.BAR_INTERVAL_ONE_SECOND, page_size=200)
        page = await rig.stub.ListBars(request)
        assert len(page.bars) == 200
        assert {gap.reason for gap in page.gaps} == {bar_pb2.BAR_GAP_REASON_NO_TRADES}
        opens = {bar.open_time.seconds for bar in page.bars}
        missing = {second for gap in page.gaps for second in range(gap.start_time.seconds, gap.end_time.seconds)}
        assert not opens & missing
        assert opens | missing == set(range(min(opens), int(NOON.timestamp())))


async def test_what_lies_before_all_history_is_a_gap_and_no_error() -> None:
    async with market() as rig:
        old = NOON.replace(year=1990)
        page = await rig.stub.ListBars(
            ListBarsRequest(
                symbol="AAPL",
                interval=bar_pb2.BAR_INTERVAL_ONE_DAY,
                start_time=to_timestamp(old),
                end_time=to_timestamp(old + timedelta(days=30)),
            )
        )
        assert not page.bars
        assert [gap.reason for gap in page.gaps] == [bar_pb2.BAR_GAP_REASON_OUTSIDE_HISTORY]


async def test_bars_that_the_provider_cannot_make_are_refused_with_one_violation_each() -> None:
    async with market() as rig:
        refused = await refusal(
            rig.stub.ListBars(
                ListBarsRequest(
                    symbol="AAPL",
                    interval=MINUTES,
                    adjustment=bar_pb2.PRICE_ADJUSTMENT_ALL,
                    extended_hours=True,
                )
            )
        )
        assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PROVIDER_NOT_CAPABLE")
        assert refused.rules == ["PROVIDER_NOT_CAPABLE", "PROVIDER_NOT_CAPABLE"]


# -- refusals ----------------------------------------------------------------------------------------------

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
        assert refused.metadata == {"symbol": "NOPE"}


@pytest.mark.parametrize("rpc", [rpc for rpc, good in ONE_OF_EACH.items() if hasattr(good, "symbols")])
async def test_a_stream_with_one_unknown_symbol_is_refused_and_names_it(rpc: str) -> None:
    async with market() as rig:
        refused = await refusal(getattr(rig.stub, rpc)(but(rpc, symbols=["AAPL", "NOPE"])))
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "INSTRUMENT_NOT_FOUND")
        assert refused.metadata == {"symbol": "NOPE"}


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


async def test_what_is_not_built_yet_says_so() -> None:
    async with market() as rig:
        built = {"SearchInstruments", "GetInstrument", "ListInstruments", "ListBars", "GetQuote", "BatchGetQuotes"}
        built |= {"GetOrderBook", "Subscribe", "StreamQuotes", "StreamTrades", "StreamBars", "ListProviders"}
        for method in SERVICE.methods:
            if method.name not in built:
                call = getattr(rig.stub, method.name)(GetMessageClass(method.input_type)())
                refused = await refusal(call)
                assert (refused.code, refused.reason) == (grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED")
