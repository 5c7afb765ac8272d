import asyncio
import tracemalloc
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from application.market_data.subscriber import Subscriber
from application.market_data.topics import Channel, Topic, Update, UpstreamNews, UpstreamState
from domain.errors import Throttled
from domain.market_data.quote import Quote, Trade

NOW = datetime(2026, 11, 20, 17, tzinfo=UTC)
ONE = Decimal(1)


def quoted(symbol: str, bid: int) -> Update:
    quote = Quote(symbol, Decimal(bid), ONE, Decimal(bid + 1), ONE, NOW)
    return Update(Topic(Channel.QUOTES, "simulated", symbol), quote, NOW, f"QUOTES {symbol}")


def traded(number: int, symbol: str = "ACME", supersedes: str | None = None) -> Update:
    return Update(
        Topic(Channel.TRADES, "simulated", symbol), Trade(symbol, str(number), ONE, ONE, NOW), NOW, None, supersedes
    )


def taken(subscriber: Subscriber) -> list[tuple[Update, int]]:
    """All that waits, each with its merged count."""
    found = []
    while (delivery := subscriber.take()) is not None:
        found.append((delivery.update, delivery.merged))
    return found


def test_of_one_slot_the_newest_update_waits_and_tells_how_many_were_merged_into_it() -> None:
    subscriber = Subscriber()
    updates = [quoted("ACME", bid) for bid in (1, 2, 3)]
    for update in updates:
        assert subscriber.offer(update)
    assert taken(subscriber) == [(updates[2], 2)]
    assert subscriber.idle


def test_the_merged_count_starts_anew_once_an_update_was_taken() -> None:
    subscriber = Subscriber()
    for update in (quoted("ACME", 1), quoted("ACME", 2)):
        subscriber.offer(update)
    subscriber.take()
    last = quoted("ACME", 3)
    subscriber.offer(last)
    assert taken(subscriber) == [(last, 0)]


def test_a_symbol_that_changes_often_does_not_push_back_the_others() -> None:
    subscriber = Subscriber()
    for update in (quoted("BUSY", 1), quoted("CALM", 1), quoted("BUSY", 2), quoted("BUSY", 3)):
        subscriber.offer(update)
    assert [update.topic.symbol for update, _ in taken(subscriber)] == ["BUSY", "CALM"]


def test_updates_without_a_slot_all_wait_in_their_order() -> None:
    subscriber = Subscriber()
    trades = [traded(number) for number in range(5)]
    for trade in trades:
        subscriber.offer(trade)
    assert taken(subscriber) == [(trade, 0) for trade in trades]


def test_a_reader_that_falls_too_far_behind_is_refused_and_told_how_to_go_on() -> None:
    subscriber = Subscriber(most_waiting=2)
    assert [subscriber.offer(traded(number)) for number in range(3)] == [True, True, False]
    with pytest.raises(Throttled, match=r"more than 2 trades or bars behind.*start_time") as refusal:
        subscriber.take()
    assert refusal.value.reason == "SLOW_READER"


def test_taking_makes_room_again_so_a_reader_that_keeps_up_never_overflows() -> None:
    subscriber = Subscriber(most_waiting=1)
    for number in range(10):
        assert subscriber.offer(traded(number))
        assert len(taken(subscriber)) == 1


def test_quotes_do_not_count_towards_what_may_wait() -> None:
    subscriber = Subscriber(most_waiting=1)
    for number in range(100):
        assert subscriber.offer(quoted(f"S{number}", 1))
    assert subscriber.offer(traded(1))


def test_an_update_removes_what_waits_in_the_slot_that_it_supersedes() -> None:
    subscriber = Subscriber()
    subscriber.offer(quoted("ACME", 1))
    trade = traded(1, supersedes="QUOTES ACME")
    subscriber.offer(trade)
    later = quoted("ACME", 2)
    subscriber.offer(later)
    assert taken(subscriber) == [(trade, 0), (later, 0)]


def test_forgetting_a_topic_drops_what_waits_of_it_and_makes_room() -> None:
    subscriber = Subscriber(most_waiting=2)
    for update in (traded(1, "GONE"), quoted("GONE", 1), traded(2, "KEPT")):
        subscriber.offer(update)
    subscriber.forget(Topic(Channel.TRADES, "simulated", "GONE"))
    subscriber.forget(Topic(Channel.QUOTES, "simulated", "GONE"))
    again = quoted("GONE", 2)
    assert subscriber.offer(traded(3, "KEPT"))
    assert subscriber.offer(again)
    assert [update.topic.symbol for update, _ in taken(subscriber)] == ["KEPT", "KEPT", "GONE"]


async def test_quotes_within_the_least_interval_are_merged_and_sent_when_it_is_over() -> None:
    subscriber = Subscriber(min_interval=0.05)
    loop = asyncio.get_running_loop()
    subscriber.offer(quoted("ACME", 1))
    assert len(taken(subscriber)) == 1
    began, last = loop.time(), quoted("ACME", 3)
    for update in (quoted("ACME", 2), last):
        subscriber.offer(update)
    assert subscriber.take() is None
    await asyncio.wait_for(subscriber.more(), 5)
    assert loop.time() - began >= 0.045
    assert taken(subscriber) == [(last, 1)]
    subscriber.close()


async def test_a_waiting_reader_is_woken_by_an_update_and_by_the_end() -> None:
    subscriber = Subscriber()
    for wake in (lambda: subscriber.offer(quoted("ACME", 1)), subscriber.end):
        waiting = subscriber.more()
        assert not waiting.done()
        wake()
        await asyncio.wait_for(waiting, 5)
    assert subscriber.ended


def news(state: UpstreamState, gap_start: int, at: int) -> Update:
    told = UpstreamNews("ACME", state, NOW + timedelta(seconds=gap_start), NOW + timedelta(seconds=at))
    return Update(Topic(Channel.TRADES, "simulated", "ACME"), told, told.at, "news TRADES simulated ACME")


def test_news_that_replace_others_stand_behind_what_they_are_about_and_tell_of_every_gap() -> None:
    subscriber = Subscriber()
    before, between, after = traded(1), traded(2), traded(3)
    offered = [
        news(UpstreamState.LIVE, 0, 0),
        before,
        news(UpstreamState.RECONNECTING, 10, 10),
        news(UpstreamState.RESUBSCRIBED, 10, 20),
        between,
        news(UpstreamState.RECONNECTING, 30, 30),
        news(UpstreamState.RESUBSCRIBED, 30, 40),
        after,
    ]
    for update in offered:
        assert subscriber.offer(update)
    found = [update for update, _ in taken(subscriber)]
    assert [found[0], found[1], found[3]] == [before, between, after]
    assert found[2].item == UpstreamNews(
        "ACME", UpstreamState.RESUBSCRIBED, NOW + timedelta(seconds=10), NOW + timedelta(seconds=40)
    )


def test_news_that_nobody_takes_do_not_pile_up() -> None:
    subscriber = Subscriber()
    tracemalloc.start()
    for second in range(20_000):
        subscriber.offer(news(UpstreamState.RECONNECTING, second, second))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 200_000
    assert len(taken(subscriber)) == 1
