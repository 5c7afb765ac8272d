"""The paper broker behind its port: the way there and back, questions, lost connections."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.brokers.paper_adapter import PaperBroker
from adapters.clock import SystemClock
from application.ports.broker import Broker, BrokerUnavailable
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_type import OrderType, TimeInForce
from tests.adapters.brokers.paper_desk import ARRIVES, COIN, PLAIN, STOCK, Desk, desk_with_quote, types

X = ExecType
GTC = TimeInForce.GTC


# -- the way there ---------------------------------------------------------------------------------


async def test_an_order_arrives_after_the_latency_and_within_the_jitter() -> None:
    settings = replace(PLAIN, latency_seconds=0.01, latency_jitter_seconds=0.005)
    desk = await desk_with_quote(settings)
    order = desk.send()
    desk.pass_time(0.01 - 1e-6)
    assert desk.told(order) == []
    desk.pass_time(0.005 + 1e-6)
    assert desk.told(order) == [X.NEW, X.TRADE]


async def test_nothing_overtakes_on_an_account_s_line() -> None:
    desk = await desk_with_quote(replace(PLAIN, latency_jitter_seconds=0.5))
    orders = [desk.order(type=OrderType.LIMIT, limit_price="50") for _ in range(30)]
    for order in orders:
        desk.broker.submit(order)
        desk.broker.cancel(order)
    desk.pass_time(1)
    expected = [(order.order_id, type) for order in orders for type in (X.NEW, X.CANCELED)]
    assert [(report.order_id, report.type) for report in desk.reports] == expected


async def test_handing_over_returns_before_anything_happens() -> None:
    desk = await desk_with_quote(replace(PLAIN, latency_seconds=0.0, latency_jitter_seconds=0.0))
    order = desk.send()
    assert desk.told(order) == []
    desk.pass_time(0)
    assert desk.told(order) == [X.NEW, X.TRADE]


async def test_the_broker_sleeps_when_nothing_is_under_way_or_resting() -> None:
    desk = await desk_with_quote()
    desk.place()
    desk.pass_time(1)
    assert desk.broker._timer is None


async def test_quotes_are_asked_for_while_orders_rest_in_them() -> None:
    desk = await desk_with_quote()
    desk.limit("100")
    desk.limit("100", symbol=STOCK)
    desk.pass_time(0.1)
    await asyncio.sleep(0)
    assert desk.quotes.asked_for == [{COIN, STOCK}]
    await desk.broker.stop()


async def test_it_works_on_the_system_s_clock_and_a_running_loop() -> None:
    quotes = Desk(start=SystemClock().now()).quotes
    quotes.show(COIN, "99", "101")
    desk = Desk()
    reports = asyncio.Queue[ExecutionReport]()
    broker: Broker = PaperBroker(SystemClock(), quotes, PLAIN)
    await broker.start(reports.put_nowait, [])
    order = desk.order(time_in_force=GTC)
    broker.submit(order)
    async with asyncio.timeout(5):
        assert [(await reports.get()).type, (await reports.get()).type] == [X.NEW, X.TRADE]
    assert types(await broker.find(order)) == [X.NEW, X.TRADE]
    await broker.stop()


# -- find ------------------------------------------------------------------------------------------


async def test_find_tells_everything_that_was_reported_oldest_first() -> None:
    desk = await desk_with_quote()
    order = desk.place(quantity="8")
    desk.cancel(order)
    assert await desk.broker.find(order) == tuple(desk.of(order))
    assert desk.told(order) == [X.NEW, X.TRADE, X.CANCELED]


async def test_find_proves_that_an_order_never_came() -> None:
    desk = await desk_with_quote()
    assert await desk.broker.find(desk.order()) is None


async def test_find_waits_for_an_order_that_is_still_on_its_way() -> None:
    desk = await desk_with_quote()
    order = desk.send()
    question = asyncio.create_task(desk.broker.find(order))
    await asyncio.sleep(0)
    assert not question.done()
    desk.pass_time(ARRIVES)
    assert types(await question) == [X.NEW, X.TRADE]


async def test_find_waits_even_when_all_happens_in_one_moment() -> None:
    desk = await desk_with_quote(replace(PLAIN, latency_seconds=0.0, latency_jitter_seconds=0.0))
    desk.send()
    desk.pass_time(0)
    order = desk.send()
    question = asyncio.create_task(desk.broker.find(order))
    await asyncio.sleep(0)
    desk.pass_time(ARRIVES)
    assert types(await question) == [X.NEW, X.TRADE]


async def test_a_question_that_its_asker_gave_up_harms_nobody() -> None:
    desk = await desk_with_quote()
    order = desk.send()
    question = asyncio.create_task(desk.broker.find(order))
    await asyncio.sleep(0)
    question.cancel()
    await asyncio.sleep(0)
    desk.pass_time(ARRIVES)
    assert desk.told(order) == [X.NEW, X.TRADE]


async def test_finished_orders_are_remembered_up_to_a_number_and_then_nothing_is_claimed_of_them() -> None:
    desk = await desk_with_quote(replace(PLAIN, remembered_orders=3))
    desk.quotes.show(COIN, "99", "101", "500", "500")
    resting = desk.limit("50", time_in_force=GTC)
    orders = [desk.place() for _ in range(5)]
    with pytest.raises(BrokerUnavailable):
        await desk.broker.find(orders[1])
    assert types(await desk.broker.find(orders[2])) == [X.NEW, X.TRADE]
    assert types(await desk.broker.find(resting)) == [X.NEW]
    assert await desk.broker.find(desk.order()) is None
    refused = desk.place(orders[4].terms.client_order_id)
    assert desk.told(refused) == [X.REJECTED]


# -- a lost connection -----------------------------------------------------------------------------


async def test_commands_handed_over_while_disconnected_never_arrive() -> None:
    desk = await desk_with_quote()
    desk.broker.disconnect()
    connected = [desk.broker.connected]
    order = desk.place()
    with pytest.raises(BrokerUnavailable):
        await desk.broker.find(order)
    desk.broker.reconnect()
    desk.pass_time(1)
    assert [*connected, desk.broker.connected] == [False, True]
    assert desk.told(order) == []
    assert await desk.broker.find(order) is None


async def test_what_happens_while_disconnected_is_reported_on_reconnection() -> None:
    desk = await desk_with_quote()
    resting, under_way = desk.limit("100"), desk.send()
    desk.broker.disconnect()
    desk.show(COIN, "98", "99")
    assert desk.told(resting) == [X.NEW]
    assert desk.told(under_way) == []
    desk.broker.reconnect()
    assert desk.told(resting) == [X.NEW, X.TRADE]
    assert desk.told(under_way) == [X.NEW, X.TRADE]


async def test_executions_are_those_of_one_account_since_a_time_and_of_ended_orders_too() -> None:
    desk = await desk_with_quote()
    early = desk.place()
    [early_report] = [report for report in desk.of(early) if report.type is X.TRADE]
    desk.pass_time(1)
    late = desk.place()
    [late_report] = [report for report in desk.of(late) if report.type is X.TRADE]
    account, since = late.account_id, early_report.time
    assert await desk.broker.executions(account, since) == [early_report, late_report]
    assert await desk.broker.executions(account, since + timedelta.resolution) == [late_report]
    assert await desk.broker.executions("another", since) == []
    desk.broker.disconnect()
    with pytest.raises(BrokerUnavailable):
        await desk.broker.executions(account, since)


async def test_a_question_that_a_lost_connection_overtakes_is_unavailable() -> None:
    desk = await desk_with_quote()
    question = asyncio.create_task(desk.broker.find(desk.send()))
    await asyncio.sleep(0)
    desk.broker.disconnect()
    with pytest.raises(BrokerUnavailable):
        await question


async def test_before_the_start_and_after_the_stop_nothing_can_be_asked() -> None:
    desk = Desk()
    with pytest.raises(BrokerUnavailable):
        await desk.broker.find(desk.order())
    await desk.open()
    await desk.broker.stop()
    with pytest.raises(BrokerUnavailable):
        await desk.broker.find(desk.order())
