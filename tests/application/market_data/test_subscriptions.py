from typing import Any

import pytest

from application.market_data.market_data_hub import MarketDataHub
from application.market_data.subscriber import Subscriber
from application.market_data.subscriptions import Subscriptions, SubscriptionsChanged
from application.market_data.topics import Channel, Topic
from domain.errors import NotFound, Throttled
from domain.market_data.bar import BarInterval
from tests.support.market import settle, simulated

MINUTES = BarInterval.MINUTE_1


async def add(subscriptions: Subscriptions, *asked: Any, **options: Any) -> SubscriptionsChanged:
    return subscriptions.add(await subscriptions.look_up(*asked, **options))


def opened(most: int = 100) -> tuple[Subscriptions, MarketDataHub, Subscriber]:
    _, _, market = simulated()
    hub, subscriber = MarketDataHub(market), Subscriber()
    return Subscriptions(market, hub, subscriber, most), hub, subscriber


async def test_unknown_symbols_fail_by_name_and_the_others_are_added() -> None:
    subscriptions, _, _ = opened()
    changed = await add(subscriptions, Channel.QUOTES, ["NOPE", "AAPL", "NADA"])
    assert [topic.symbol for topic in changed.added] == ["AAPL"]
    assert [(symbol, error.reason) for symbol, error in changed.failures] == [
        ("NOPE", "INSTRUMENT_NOT_FOUND"),
        ("NADA", "INSTRUMENT_NOT_FOUND"),
    ]
    assert changed.active == 1


async def test_adding_a_subscription_again_changes_nothing_be_it_with_another_depth() -> None:
    subscriptions, hub, _ = opened()
    await add(subscriptions, Channel.ORDER_BOOK, ["AAPL"], depth=5)
    changed = await add(subscriptions, Channel.ORDER_BOOK, ["AAPL"], depth=7)
    assert (changed.added, changed.active) == ([], 1)
    assert subscriptions.topics() == (Topic(Channel.ORDER_BOOK, "simulated", "AAPL", depth=5),)
    assert hub.open_topics == 1


async def test_a_depth_of_zero_is_ten_levels_and_other_channels_have_none() -> None:
    subscriptions, _, _ = opened()
    await add(subscriptions, Channel.ORDER_BOOK, ["AAPL"])
    await add(subscriptions, Channel.QUOTES, ["AAPL"])
    assert [topic.depth for topic in subscriptions.topics()] == [10, 0]


async def test_subscriptions_are_listed_in_the_order_in_which_they_were_made() -> None:
    subscriptions, _, _ = opened()
    await add(subscriptions, Channel.TRADES, ["MSFT", "AAPL"])
    await add(subscriptions, Channel.BARS, ["AAPL"], MINUTES)
    assert [(topic.channel, topic.symbol) for topic in subscriptions.topics()] == [
        (Channel.TRADES, "MSFT"),
        (Channel.TRADES, "AAPL"),
        (Channel.BARS, "AAPL"),
    ]


async def test_what_matches_every_filter_is_removed_and_its_feeds_end() -> None:
    subscriptions, hub, _ = opened()
    await add(subscriptions, Channel.QUOTES, ["AAPL", "MSFT"])
    await add(subscriptions, Channel.BARS, ["AAPL"], MINUTES)
    await add(subscriptions, Channel.BARS, ["AAPL"], BarInterval.HOUR_1)
    assert subscriptions.remove(provider="other").removed == []
    assert subscriptions.remove(Channel.TRADES).removed == []
    assert [topic.interval for topic in subscriptions.remove(interval=MINUTES).removed] == [MINUTES]
    assert [topic.symbol for topic in subscriptions.remove(Channel.QUOTES, ["AAPL", "NOPE"]).removed] == ["AAPL"]
    assert len(subscriptions.topics()) == 2
    last = subscriptions.remove()
    await settle()
    assert (len(last.removed), last.active, subscriptions.topics(), hub.open_topics) == (2, 0, (), 0)


async def test_beyond_the_limit_nothing_is_added() -> None:
    subscriptions, hub, _ = opened(most=2)
    await add(subscriptions, Channel.QUOTES, ["AAPL"])
    with pytest.raises(Throttled, match="at most 2 subscriptions, and has 1") as refusal:
        await add(subscriptions, Channel.QUOTES, ["MSFT", "NVDA"])
    assert refusal.value.reason == "QUOTA_EXCEEDED"
    assert (len(subscriptions.topics()), hub.open_topics) == (1, 1)
    assert (await add(subscriptions, Channel.QUOTES, ["AAPL", "MSFT"])).active == 2


async def test_another_provider_is_not_found() -> None:
    subscriptions, _, _ = opened()
    with pytest.raises(NotFound) as refusal:
        await add(subscriptions, Channel.QUOTES, ["AAPL"], provider="other")
    assert refusal.value.reason == "PROVIDER_NOT_FOUND"
