"""Every kind of update has a message, and what many streams send is made once."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from application.market_data.bar_gaps import BarGap, GapReason
from application.market_data.subscriber import Delivery
from application.market_data.topics import Channel, Item, Topic, Update, UpstreamNews, UpstreamState
from domain.market_data.bar import Bar, BarInterval
from domain.market_data.quote import OrderBook, PriceLevel, Quote, Trade
from quantmesh.marketdata.v1 import bar_pb2, market_data_query_pb2, market_data_stream_pb2, subscription_pb2
from server.mapping import market_data as mapping
from server.mapping.common import to_timestamp
from server.mapping.instruments import INTERVALS

D = Decimal
NOW = datetime(2026, 11, 20, 17, tzinfo=UTC)
LATER = NOW.replace(minute=1)
QUOTE = Quote("ACME", D("10.50"), D("1E+2"), D("10.51"), D(7), NOW)
BAR = Bar("ACME", BarInterval.MINUTE_1, NOW, LATER, D(1), D("2.50"), D("0.5"), D(2), D("1E+3"), 12, partial=True)
ITEMS: dict[str, Item] = {
    "quote": QUOTE,
    "trade": Trade("ACME", "t-1", D("10.50"), D(100), NOW),
    "bar": BAR,
    "order_book": OrderBook("ACME", (PriceLevel(D("10.50"), D(3)),), (PriceLevel(D("10.60"), D(4)),), NOW),
    "status": UpstreamNews("ACME", UpstreamState.BACKFILLED, NOW, LATER),
}


def delivery(item: Item, merged: int = 0) -> Delivery:
    made = Delivery(Update(Topic(Channel.QUOTES, "simulated", "ACME"), item, LATER, "slot"))
    made.merged = merged
    return made


def sent(item: Item, merged: int = 0) -> Any:
    data = mapping.delivered(subscription_pb2.SubscribeResponse, delivery(item, merged))
    return subscription_pb2.SubscribeResponse.FromString(data)


@pytest.mark.parametrize("field", ITEMS)
def test_every_kind_of_update_has_its_field_in_the_message(field: str) -> None:
    message = sent(ITEMS[field])
    assert message.WhichOneof("message") == field
    assert getattr(message, field).provider == "simulated"


def test_numbers_are_plain_decimals_and_times_are_the_markets_own() -> None:
    quote = sent(QUOTE, merged=3).quote
    assert (quote.bid_price, quote.bid_size, quote.ask_price) == ("10.5", "100", "10.51")
    assert (quote.merged_count, quote.last_price) == (3, "")
    assert (quote.quote_time, quote.received_time) == (to_timestamp(NOW), to_timestamp(LATER))
    bar = sent(BAR).bar
    assert (bar.high, bar.volume, bar.trade_count, bar.partial) == ("2.5", "1000", 12, True)
    assert (bar.open_time, bar.close_time) == (to_timestamp(NOW), to_timestamp(LATER))
    assert not bar.HasField("vwap")


def test_bars_of_a_page_are_the_messages_that_a_stream_sends() -> None:
    page = market_data_query_pb2.ListBarsResponse()
    whole = replace(BAR, partial=False, vwap=D("1.50"))
    mapping.add_bars(page.bars, [BAR, whole], "simulated")
    assert list(page.bars) == [sent(BAR).bar, sent(whole).bar]
    assert page.bars[1].vwap == "1.5"


def test_only_news_of_the_return_has_a_gap() -> None:
    back = sent(ITEMS["status"]).status
    assert (back.gap_start_time, back.gap_end_time, back.status_time) == (
        to_timestamp(NOW),
        to_timestamp(LATER),
        to_timestamp(LATER),
    )
    lost = sent(UpstreamNews("ACME", UpstreamState.RECONNECTING, NOW, NOW)).status
    assert lost.state == market_data_stream_pb2.STREAM_STATE_RECONNECTING
    live = sent(UpstreamNews("ACME", UpstreamState.LIVE, NOW, NOW)).status
    assert live.state == market_data_stream_pb2.STREAM_STATE_LIVE
    assert not live.HasField("gap_start_time")
    assert not lost.HasField("gap_start_time")


def test_one_update_is_serialized_once_for_all_streams_of_a_kind_and_merged_count() -> None:
    quotes, both = market_data_stream_pb2.StreamQuotesResponse, subscription_pb2.SubscribeResponse
    shared = delivery(QUOTE)
    first = mapping.delivered(quotes, shared)
    assert mapping.delivered(quotes, shared) is first
    assert mapping.delivered(both, shared) != first
    merged = Delivery(shared.update)
    merged.merged = 2
    assert quotes.FromString(mapping.delivered(quotes, merged)).quote.merged_count == 2
    assert mapping.delivered(quotes, shared) is first


def test_every_interval_and_channel_of_the_contract_is_known() -> None:
    assert set(INTERVALS.values()) == set(bar_pb2.BarInterval.values()) - {0}
    assert set(mapping.CHANNEL_OF) == set(subscription_pb2.Channel.values()) - {0}


@pytest.mark.parametrize("reason", GapReason)
def test_gaps_keep_their_span_and_their_reason(reason: GapReason) -> None:
    gap = mapping.to_gap(BarGap(NOW, LATER, reason))
    assert (gap.start_time, gap.end_time) == (to_timestamp(NOW), to_timestamp(LATER))
    assert bar_pb2.BarGapReason.Name(gap.reason) == f"BAR_GAP_REASON_{reason.name}"
