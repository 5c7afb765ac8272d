"""Live bars that no source pushes: each is read when it should be complete."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from adapters.clock import ManualClock
from application.market_data.market import Market
from application.market_data.market_data_hub import MarketDataHub
from application.market_data.subscriber import Subscriber
from application.market_data.topics import Channel, Topic
from domain.errors import Unavailable
from domain.market_data.bar import Bar, BarInterval
from tests.support.market import advance, market_of, offer, settle, wanted
from tests.support.scripted_bars import NEW_YORK, ScriptedBars, capabilities

NINE_FIFTY = datetime(2026, 11, 20, 14, 50, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MINUTES = Topic(Channel.BARS, "scripted", "ACME", BarInterval.MINUTE_1)
HOURS = replace(NEW_YORK, pre_market_opens=time(4), post_market_closes=time(20))


def opened(now: datetime = NINE_FIFTY) -> tuple[ManualClock, ScriptedBars, Market]:
    clock = ManualClock(now)
    provider = ScriptedBars(clock, now - timedelta(days=5), HOURS)
    able = replace(capabilities(), extended_hours=True, poll_seconds=2.0)
    return clock, provider, market_of(clock, offer(provider, able))  # type: ignore[arg-type]  # it has bars alone


def bars(subscriber: Subscriber) -> list[Bar]:
    found = []
    while (delivery := subscriber.take()) is not None:
        if isinstance(delivery.update.item, Bar):
            found.append(delivery.update.item)
    return found


async def test_each_bar_comes_once_it_is_complete_and_none_of_before() -> None:
    clock, _, market = opened()
    hub, reader = MarketDataHub(market), Subscriber()
    hub.subscribe(reader, await wanted(market, MINUTES))
    await advance(clock, 20, step=10)
    assert bars(reader) == []
    await advance(clock, 130, step=10)
    got = bars(reader)
    assert [bar.open_time for bar in got] == [NINE_FIFTY.replace(second=0) + n * MINUTE for n in range(3)]
    assert not any(bar.partial for bar in got)
    hub.close(reader)


async def test_a_bar_that_its_provider_has_late_comes_late_and_the_next_in_time() -> None:
    clock, provider, market = opened()
    hub, reader = MarketDataHub(market), Subscriber()
    hub.subscribe(reader, await wanted(market, MINUTES))
    late = NINE_FIFTY.replace(second=0)
    provider.absent.add(late)
    await advance(clock, 31, step=1)
    assert bars(reader) == []
    provider.absent.clear()
    await advance(clock, 4, step=1)
    assert [bar.open_time for bar in bars(reader)] == [late]
    await advance(clock, 56, step=1)
    assert [bar.open_time for bar in bars(reader)] == [late + MINUTE]
    hub.close(reader)


async def test_where_nothing_was_traded_there_is_no_bar_and_the_provider_is_asked_a_few_times_only() -> None:
    clock, provider, market = opened()
    hub, reader = MarketDataHub(market), Subscriber()
    hub.subscribe(reader, await wanted(market, MINUTES))
    provider.absent.add(NINE_FIFTY.replace(second=0))
    await advance(clock, 88, step=1)
    assert bars(reader) == []
    assert len(provider.asked) <= 7  # once when it was subscribed to
    await advance(clock, 5, step=1)
    assert [bar.open_time for bar in bars(reader)] == [NINE_FIFTY.replace(second=0) + MINUTE]
    hub.close(reader)


async def test_after_the_close_nothing_is_asked_for_until_the_next_session() -> None:
    clock, provider, market = opened(NINE_FIFTY.replace(hour=21, minute=5))
    hub, reader = MarketDataHub(market), Subscriber()
    hub.subscribe(reader, await wanted(market, MINUTES))
    await settle()
    provider.asked.clear()
    await advance(clock, 3_600, step=60)
    assert (provider.asked, bars(reader)) == ([], [])
    hub.close(reader)


async def test_bars_of_extended_hours_go_on_after_the_close() -> None:
    clock, provider, market = opened(NINE_FIFTY.replace(hour=21, minute=5))
    hub, reader = MarketDataHub(market), Subscriber()
    hub.subscribe(reader, await wanted(market, MINUTES._replace(extended_hours=True)))
    await advance(clock, 90, step=10)
    assert len(bars(reader)) == 2
    assert all(request.extended_hours for request in provider.asked)
    hub.close(reader)


async def test_a_provider_that_fails_is_asked_again_and_no_bar_is_lost() -> None:
    clock, provider, market = opened()
    hub, reader = MarketDataHub(market), Subscriber()
    hub.subscribe(reader, await wanted(market, MINUTES))
    await settle()
    provider.troubles.append(Unavailable("it is down", reason="MARKET_DATA_UNAVAILABLE"))
    await advance(clock, 150, step=1)
    assert [bar.open_time for bar in bars(reader)] == [NINE_FIFTY.replace(second=0) + n * MINUTE for n in range(3)]
    hub.close(reader)
