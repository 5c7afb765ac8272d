"""The RPCs of MarketDataService that answer once, over the wire."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
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
from server.mapping.common import to_timestamp
from tests.server.market_rig import MarketRig, market
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
