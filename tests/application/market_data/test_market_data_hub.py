from decimal import Decimal
from typing import Any

import pytest

from adapters.clock import ManualClock
from application.market_data.market_data_hub import MarketDataHub
from application.market_data.subscriber import Subscriber
from application.market_data.topics import Channel, Topic, UpstreamNews, UpstreamState
from domain.errors import Unavailable
from domain.market_data.bar import BarInterval
from tests.support.market import FRIDAY_NOON, TICK, advance, market_of, settle, simulated, wanted
from tests.support.provider import STREAMED, SpokenMarketData

AAPL = Topic(Channel.QUOTES, "simulated", "AAPL")
TRADES = Topic(Channel.TRADES, "simulated", "AAPL")
MINUTES = Topic(Channel.BARS, "simulated", "AAPL", BarInterval.MINUTE_1)


def told(subscriber: Subscriber) -> list[Any]:
    """What has come, news of the upstream too."""
    found = []
    while (delivery := subscriber.take()) is not None:
        found.append(delivery.update.item)
    return found


def items(subscriber: Subscriber) -> list[Any]:
    """The same without the word that the upstream is live."""
    return [item for item in told(subscriber) if getattr(item, "state", None) is not UpstreamState.LIVE]


async def test_all_subscribers_of_a_topic_share_one_iteration_and_one_update() -> None:
    clock, provider, market = simulated()
    hub = MarketDataHub(market)
    subscribers = [Subscriber() for _ in range(50)]
    for subscriber in subscribers:
        hub.subscribe(subscriber, await wanted(market, AAPL))
    await advance(clock, TICK)
    assert provider.opened == 1
    assert len({id(delivery.update) for one in subscribers if (delivery := one.take())}) == 1


async def test_a_new_subscriber_has_the_present_quote_at_once_and_no_quote_twice() -> None:
    clock, provider, market = simulated()
    hub = MarketDataHub(market)
    subscriber = Subscriber()
    hub.subscribe(subscriber, await wanted(market, AAPL))
    assert items(subscriber) == [provider.latest("AAPL")]
    await settle()
    assert items(subscriber) == []
    late = Subscriber()
    await advance(clock, TICK)
    hub.subscribe(late, await wanted(market, AAPL))
    assert items(late) == items(subscriber) == [provider.latest("AAPL")]


async def test_the_iteration_ends_with_the_last_subscriber_and_begins_again_with_the_next() -> None:
    clock, provider, market = simulated()
    hub = MarketDataHub(market)
    first, second = Subscriber(), Subscriber()
    for subscriber in (first, second):
        hub.subscribe(subscriber, await wanted(market, AAPL, TRADES))
    await advance(clock, TICK)
    hub.close(first)
    await settle()
    assert (provider.running, hub.open_topics) == (2, 2)
    hub.unsubscribe(second, [AAPL])
    await settle()
    assert (provider.running, hub.open_topics) == (1, 1)
    hub.close(second)
    await settle()
    assert (provider.running, hub.open_topics) == (0, 0)
    hub.subscribe(first, await wanted(market, AAPL))
    await settle()
    assert (provider.opened, provider.running) == (3, 1)


async def test_what_was_not_taken_of_a_topic_is_gone_with_its_subscription() -> None:
    clock, _, market = simulated()
    hub = MarketDataHub(market)
    subscriber = Subscriber()
    hub.subscribe(subscriber, await wanted(market, AAPL, TRADES))
    await advance(clock, 5)
    hub.unsubscribe(subscriber, [TRADES])
    assert {item.symbol for item in items(subscriber)} == {"AAPL"}
    await advance(clock, 5)
    hub.unsubscribe(subscriber, [AAPL])
    assert items(subscriber) == []


async def test_trades_arrive_each_and_in_order_and_none_from_before_the_subscription() -> None:
    clock, _, market = simulated()
    hub = MarketDataHub(market)
    subscriber = Subscriber()
    began = clock.now()
    hub.subscribe(subscriber, await wanted(market, TRADES))
    await advance(clock, 30)
    got = items(subscriber)
    assert len(got) > 10
    assert got[0].trade_time > began
    assert [int(trade.trade_id) for trade in got] == sorted({int(trade.trade_id) for trade in got})


async def test_a_subscriber_that_overflows_leaves_and_the_others_miss_nothing() -> None:
    clock, provider, market = simulated()
    hub = MarketDataHub(market)
    slow, quick = Subscriber(most_waiting=3), Subscriber()
    for subscriber in (slow, quick):
        hub.subscribe(subscriber, await wanted(market, TRADES))
    alone = Subscriber(most_waiting=3)
    hub.subscribe(alone, await wanted(market, TRADES._replace(symbol="MSFT")))
    await advance(clock, 30)
    assert len(items(quick)) > 3
    assert (slow.topics, alone.topics) == ({}, {})
    assert (provider.running, hub.open_topics) == (1, 1)


async def test_complete_bars_come_with_their_close_and_the_running_one_as_it_changes() -> None:
    clock, _, market = simulated()
    hub = MarketDataHub(market)
    complete, partial = Subscriber(), Subscriber()
    hub.subscribe(complete, await wanted(market, MINUTES))
    hub.subscribe(partial, await wanted(market, MINUTES._replace(channel=Channel.PARTIAL_BARS)))
    await advance(clock, 60, step=60)
    await settle()
    (bar,) = items(complete)
    assert (bar.partial, bar.close_time <= clock.now()) == (False, True)
    assert all(bar.partial for bar in items(partial))


async def test_a_running_bar_that_is_over_is_not_given_to_a_new_subscriber() -> None:
    clock, provider, market = simulated()
    hub = MarketDataHub(market)
    running = MINUTES._replace(channel=Channel.PARTIAL_BARS)
    first, early, late = Subscriber(), Subscriber(), Subscriber()
    hub.subscribe(first, await wanted(market, running))
    while not items(first):
        await advance(clock, TICK)
    hub.subscribe(early, await wanted(market, running))
    assert [bar.partial for bar in items(early)] == [True]
    provider.connected = False
    await advance(clock, 60, step=60)
    hub.subscribe(late, await wanted(market, running))
    assert [type(item) for item in items(late)] == [UpstreamNews]


async def test_order_books_follow_the_quotes_to_the_depth_that_was_asked_for() -> None:
    clock, provider, market = simulated()
    hub = MarketDataHub(market)
    subscriber = Subscriber()
    hub.subscribe(subscriber, await wanted(market, Topic(Channel.ORDER_BOOK, "simulated", "AAPL", depth=3)))
    await advance(clock, TICK)
    (book,) = items(subscriber)
    quote = provider.latest("AAPL")
    assert quote is not None
    assert (len(book.bids), len(book.asks)) == (3, 3)
    assert (book.bids[0].price, book.asks[0].price) == (quote.bid_price, quote.ask_price)


# -- what is said of the upstream --------------------------------------------------------------------------


async def test_each_subscriber_is_told_once_that_the_upstream_is_live_behind_the_present_item() -> None:
    clock, provider, market = simulated()
    hub = MarketDataHub(market)
    first, late = Subscriber(), Subscriber()
    hub.subscribe(first, await wanted(market, AAPL))
    await settle()
    quote, live = told(first)
    assert (quote, live.state, live.symbol) == (provider.latest("AAPL"), UpstreamState.LIVE, "AAPL")
    await advance(clock, TICK)
    hub.subscribe(late, await wanted(market, AAPL))
    assert told(late) == [provider.latest("AAPL"), live]
    await advance(clock, 1)
    assert {type(item).__name__ for item in told(first) + told(late)} == {"Quote"}


async def test_of_bars_with_the_running_one_beside_them_it_is_told_once() -> None:
    clock, _, market = simulated()
    hub, subscriber = MarketDataHub(market), Subscriber()
    hub.subscribe(subscriber, await wanted(market, MINUTES, MINUTES._replace(channel=Channel.PARTIAL_BARS)))
    await advance(clock, 5)
    assert [item.state for item in told(subscriber) if isinstance(item, UpstreamNews)] == [UpstreamState.LIVE]


async def test_what_has_to_be_asked_for_is_live_once_it_has_been_answered() -> None:
    clock = ManualClock(FRIDAY_NOON)
    provider = SpokenMarketData(clock)
    provider.list("ACME")
    market = market_of(clock, provider.offer())
    hub, subscriber = MarketDataHub(market), Subscriber()
    topics = await wanted(market, Topic(Channel.QUOTES, "live", "ACME"))
    provider.error = Unavailable("it is down", reason="MARKET_DATA_UNAVAILABLE")
    hub.subscribe(subscriber, topics)
    await settle()
    assert [item.state for item in told(subscriber)] == [UpstreamState.RECONNECTING]
    provider.error = None
    await advance(clock, 1)
    assert [item.state for item in told(subscriber)] == [UpstreamState.RESUBSCRIBED], (
        "nothing is quoted, but it answers"
    )


async def spoken() -> tuple[ManualClock, SpokenMarketData, Subscriber]:
    """A subscriber to a stream of which the test says everything."""
    clock = ManualClock(FRIDAY_NOON)
    provider = SpokenMarketData(clock, capabilities=STREAMED)
    provider.list("ACME")
    market = market_of(clock, provider.offer())
    hub, subscriber = MarketDataHub(market), Subscriber()
    hub.subscribe(subscriber, await wanted(market, Topic(Channel.QUOTES, "live", "ACME")))
    await settle()
    return clock, provider, subscriber


async def test_a_quiet_instrument_is_back_as_soon_as_its_source_says_so() -> None:
    clock, provider, subscriber = await spoken()
    assert told(subscriber) == []
    provider.confirm("ACME")
    await settle()
    assert [item.state for item in told(subscriber)] == [UpstreamState.LIVE]
    provider.cut("ACME")
    await settle()
    [lost] = told(subscriber)
    await advance(clock, 1)
    assert (lost.state, told(subscriber)) == (UpstreamState.RECONNECTING, [])
    provider.confirm("ACME")
    await settle()
    [back] = told(subscriber)
    assert (back.state, back.gap_start, back.at) == (UpstreamState.RESUBSCRIBED, lost.at, clock.now())
    provider.push("ACME", "10")
    await settle()
    assert [type(item).__name__ for item in told(subscriber)] == ["Quote"]


async def test_where_the_source_says_nothing_the_first_item_proves_that_it_is_live() -> None:
    clock, provider, subscriber = await spoken()
    states: list[UpstreamState] = []
    for bid in ("10", "11"):
        provider.push("ACME", bid)
        await settle()
        news, quote = told(subscriber)
        states.append(news.state)
        assert quote.bid_price == Decimal(bid)
        provider.cut("ACME")
        await advance(clock, 1)
        assert [item.state for item in told(subscriber)] == [UpstreamState.RECONNECTING]
    assert states == [UpstreamState.LIVE, UpstreamState.RESUBSCRIBED]


async def test_an_upstream_that_breaks_whenever_it_is_confirmed_is_opened_ever_more_rarely() -> None:
    clock, provider, subscriber = await spoken()
    for _ in range(150):
        provider.confirm("ACME")
        provider.cut("ACME")
        await advance(clock, 0.1, step=0.1)
    assert provider.streams_opened == 5  # at once, and each time after 0.5, 1, 2 and 4 seconds more
    assert len(told(subscriber)) == 1, "a reader that does not read is told of the last state only"


async def test_one_that_was_live_for_long_is_opened_again_soon_even_if_nothing_ever_came() -> None:
    clock, provider, _ = await spoken()
    for opened in range(1, 6):
        assert provider.streams_opened == opened
        provider.confirm("ACME")
        await advance(clock, 60, step=60)
        provider.cut("ACME")
        await advance(clock, 0.5)


# -- a provider that breaks --------------------------------------------------------------------------------


async def test_a_broken_upstream_is_told_and_opened_again(caplog: pytest.LogCaptureFixture) -> None:
    clock, provider, market = simulated()
    hub = MarketDataHub(market)
    subscriber = Subscriber()
    hub.subscribe(subscriber, await wanted(market, AAPL))
    await settle()
    items(subscriber)
    provider.connected = False
    await advance(clock, TICK)
    (lost,) = items(subscriber)
    assert (lost.state, lost.symbol) == (UpstreamState.RECONNECTING, "AAPL")
    assert "the line is cut" in caplog.text

    late = Subscriber()
    hub.subscribe(late, await wanted(market, AAPL))
    assert [type(item).__name__ for item in items(late)] == ["Quote", "UpstreamNews"]

    provider.connected = True
    await advance(clock, 1)
    found = items(subscriber)
    (back,) = [item for item in found if isinstance(item, UpstreamNews)]
    assert back.state is UpstreamState.RESUBSCRIBED
    assert (back.gap_start, back.at > back.gap_start) == (lost.at, True)
    assert provider.latest("AAPL") in found
    assert provider.running == 1


async def test_attempts_to_reconnect_become_rarer_while_the_upstream_stays_away() -> None:
    clock, provider, market = simulated()
    hub = MarketDataHub(market)
    subscriber = Subscriber()
    hub.subscribe(subscriber, await wanted(market, AAPL))
    provider.connected = False
    await advance(clock, 15, step=0.5)
    assert provider.opened == 5  # at once, and each time after 0.5, 1, 2 and 4 seconds more
    assert len(items(subscriber)) == 2  # the quote it had, and one word on the upstream


async def test_bars_that_were_missed_meanwhile_are_sent_before_the_news_that_it_is_back() -> None:
    clock, provider, market = simulated()
    hub = MarketDataHub(market)
    subscriber = Subscriber()
    hub.subscribe(subscriber, await wanted(market, MINUTES))
    await advance(clock, 60, step=60)
    (first,) = items(subscriber)
    provider.connected = False
    await advance(clock, 180, step=60)
    assert [item.state for item in items(subscriber)] == [UpstreamState.RECONNECTING]
    provider.connected = True
    found: list[Any] = []
    while UpstreamNews not in map(type, found):
        await advance(clock, 60, step=20)
        found += items(subscriber)
    news = next(place for place, item in enumerate(found) if isinstance(item, UpstreamNews))
    missed, (live, *_) = found[:news], found[news + 1 :]
    assert found[news].state is UpstreamState.BACKFILLED
    assert len(missed) >= 3
    assert [bar.open_time for bar in (*missed, live)] == [first.close_time, *(bar.close_time for bar in missed)]
