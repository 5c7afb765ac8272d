"""The paper broker behind its port: the way there and back, restarts, lost connections, determinism."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from adapters.brokers.paper_adapter import PaperBroker
from adapters.brokers.paper_settings import PaperSettings
from adapters.clock import SystemClock
from application.ports.broker import Broker, BrokerUnavailable
from domain.decimals import ZERO
from domain.trading.aggregates.order import Order
from domain.trading.aggregates.order_lifecycle import OrderStatus
from domain.trading.value_objects.execution_report import ExecType, ExecutionReport
from domain.trading.value_objects.order_type import OrderType, Side, TimeInForce
from tests.adapters.brokers.paper_desk import ARRIVES, CLOSE, COIN, OPENING, PLAIN, STOCK, Desk, booked

X = ExecType
GTC = TimeInForce.GTC


async def desk_with_quote(settings: PaperSettings = PLAIN) -> Desk:
    desk = await Desk(settings).open()
    desk.quotes.show(COIN, "99", "101", "5", "5")
    return desk


def types(known: Sequence[ExecutionReport] | None) -> list[ExecType] | None:
    return None if known is None else [report.type for report in known]


# -- the way there ----------------------------------------------------------------------------------


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


# -- find -------------------------------------------------------------------------------------------


async def test_find_tells_everything_that_was_reported_oldest_first() -> None:
    desk = await desk_with_quote()
    order = desk.place(quantity="8")
    desk.broker.cancel(order)
    desk.pass_time(ARRIVES)
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


# -- a lost connection ------------------------------------------------------------------------------


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


# -- restarts ---------------------------------------------------------------------------------------


def working(order: Order, state: OrderStatus = OrderStatus.NEW, filled: str = "0") -> Order:
    return replace(order, state=state, filled_quantity=Decimal(filled))


async def test_a_restarted_venue_goes_on_with_the_orders_that_are_believed_to_work() -> None:
    desk = await desk_with_quote()
    order = desk.limit("101", quantity="8", time_in_force=GTC)
    desk.pass_time(1)
    believed = booked(order, desk.reports)
    again = await desk.restarted().open([believed])
    again.pass_time(1)
    assert again.reports == []
    assert types(await again.broker.find(order)) == [X.NEW]
    again.show(COIN, "99", "101")
    assert again.fills(order) == [("3", "101")]
    final = booked(believed, again.reports)
    assert (final.state, final.filled_quantity) == (OrderStatus.FILLED, Decimal(8))
    executions = [r.execution_id for r in (*desk.of(order), *again.of(order)) if r.type is X.TRADE]
    assert len(set(executions)) == 2


async def test_an_adopted_order_keeps_its_time_priority() -> None:
    before = Desk()
    first, second = (before.order(type=OrderType.LIMIT, limit_price="100") for _ in range(2))
    desk = await before.restarted().open([working(second), working(first)])
    desk.show(COIN, "98", "99", "1", "1")
    assert (desk.fills(first), desk.fills(second)) == ([("1", "100")], [])


async def test_a_triggered_stop_is_adopted_as_triggered() -> None:
    before = Desk()
    stop: dict[str, Any] = {"type": OrderType.STOP_LIMIT, "stop_price": "150", "limit_price": "100"}
    triggered, waiting = before.order(**stop), before.order(**stop)
    filled = before.order(quantity="2", **stop)
    desk = await before.restarted().open(
        [
            working(triggered, OrderStatus.TRIGGERED),
            working(waiting),
            working(filled, OrderStatus.PARTIALLY_FILLED, "1"),
        ]
    )
    desk.show(COIN, "98", "99")
    assert desk.told(triggered) == desk.told(filled) == [X.TRADE]
    assert desk.told(waiting) == []


async def test_a_trailing_stop_goes_on_from_where_its_stop_stood() -> None:
    before = Desk()
    order = before.order(side=Side.SELL, type=OrderType.TRAILING_STOP, trail_offset="5")
    desk = await before.restarted().open([replace(working(order), active_stop_price=Decimal(95))])
    desk.show(COIN, "96", "97")
    assert desk.told(order) == []
    desk.show(COIN, "95", "97")
    assert desk.told(order) == [X.TRIGGERED, X.TRADE]


@pytest.mark.parametrize("state", [OrderStatus.PENDING_NEW, OrderStatus.UNKNOWN])
async def test_an_order_that_was_never_acknowledged_is_unknown_after_a_restart(state: OrderStatus) -> None:
    before = Desk()
    order = before.order(type=OrderType.LIMIT, limit_price="100")
    desk = await before.restarted().open([working(order, state)])
    desk.show(COIN, "98", "99")
    assert desk.reports == []
    assert await desk.broker.find(order) is None
    desk.broker.submit(order)
    desk.pass_time(ARRIVES)
    assert desk.told(order) == [X.NEW, X.TRADE]


async def test_a_pending_cancel_is_answered_after_a_restart() -> None:
    before = Desk()
    order = before.order(type=OrderType.LIMIT, limit_price="90")
    desk = await before.restarted().open([replace(working(order), cancel_pending=True)])
    question = asyncio.create_task(desk.broker.find(order))
    await asyncio.sleep(0)
    desk.pass_time(ARRIVES)
    assert desk.told(order) == [X.CANCELED]
    assert types(await question) == [X.NEW, X.CANCELED]


async def test_a_pending_replace_is_answered_after_a_restart_with_its_version() -> None:
    before = Desk()
    order = before.order(type=OrderType.LIMIT, limit_price="90")
    asked = replace(order.terms, limit_price=Decimal(95))
    pending = replace(working(order), replace_terms=asked, replace_version=4)
    desk = before.restarted()
    desk.quotes.show(COIN, "99", "101")
    await desk.open([pending])
    desk.pass_time(ARRIVES)
    assert [(r.type, r.request_version) for r in desk.reports] == [(X.REPLACED, 4)]
    desk.show(COIN, "93", "94")
    assert desk.fills(order) == [("1", "95")]


async def test_an_order_whose_session_ended_meanwhile_expires_after_a_restart() -> None:
    before = Desk()
    day = before.order(symbol=STOCK, type=OrderType.LIMIT, limit_price="150")
    closing = before.order(symbol=STOCK, time_in_force=TimeInForce.CLS)
    gtd = before.order(type=OrderType.LIMIT, limit_price="150", time_in_force=TimeInForce.GTD, expire_time=CLOSE)
    desk = Desk(start=OPENING + timedelta(days=1, minutes=5))
    desk.quotes.show(STOCK, "99", "101")
    desk.quotes.show(COIN, "99", "101")
    await desk.open([working(day), working(closing), working(gtd)])
    desk.pass_time(ARRIVES)
    assert desk.told(day) == desk.told(closing) == desk.told(gtd) == [X.EXPIRED]


async def test_an_adopted_order_whose_instrument_is_not_known_yet_waits_for_it() -> None:
    before = Desk()
    order, canceled = (before.order(type=OrderType.LIMIT, limit_price="100", symbol="NEWCO") for _ in range(2))
    desk = await before.restarted().open([working(order), working(canceled)])
    desk.pass_time(1)
    desk.broker.cancel(canceled)
    desk.pass_time(1)
    desk.quotes.instruments["NEWCO"] = replace(desk.quotes.instruments[COIN], symbol="NEWCO")
    desk.pass_time(1)
    desk.show("NEWCO", "98", "99")
    assert desk.fills(order) == [("1", "100")]
    assert desk.told(canceled) == [X.CANCELED]


async def test_a_stopped_venue_stands_still_and_tells_all_of_a_working_order_when_it_starts_again() -> None:
    desk = await desk_with_quote()
    order = desk.limit("100", time_in_force=GTC)
    await desk.broker.stop()
    desk.show(COIN, "98", "99")
    assert desk.told(order) == [X.NEW]
    await desk.open([working(order)])
    desk.pass_time(1)
    assert desk.told(order) == [X.NEW, X.NEW, X.TRADE]


async def test_ten_thousand_orders_are_adopted_without_a_report() -> None:
    before = Desk()
    orders = [
        working(before.order(type=OrderType.LIMIT, limit_price=str(50 + n % 40), time_in_force=GTC))
        for n in range(10_000)
    ]
    desk = await before.restarted().open(orders)
    desk.show(COIN, "98", "99")
    assert desk.reports == []
    desk.show(COIN, "88", "88.5", "3", "3")
    assert [(str(r.quantity), str(r.price)) for r in desk.reports] == [("1", "89")] * 3


# -- determinism ------------------------------------------------------------------------------------


def day_of_trading(desk: Desk, accounts: Sequence[str]) -> None:
    """The same commands at the same times, whichever account the process serves first."""
    placed: dict[str, list[Order]] = {account: [] for account in accounts}
    for step in range(40):
        choices = Random(step)
        desk.quotes.show(COIN, f"{choices.randint(95, 100)}", f"{choices.randint(101, 105)}", "4", "4")
        for account in accounts:
            ours = Random(f"{step} {account}")
            side = ours.choice(list(Side))
            terms: dict[str, Any] = ours.choice(
                [
                    {},
                    {"type": OrderType.LIMIT, "limit_price": str(ours.randint(96, 105))},
                    {"type": OrderType.STOP, "stop_price": "103" if side is Side.BUY else "98"},
                    {"type": OrderType.TRAILING_STOP, "trail_offset": "2"},
                ]
            )
            order = desk.send(f"c-{step}", account=account, side=side, quantity=str(ours.randint(1, 6)), **terms)
            placed[account].append(order)
            if ours.random() < 0.3:
                desk.broker.cancel(ours.choice(placed[account]))
        desk.pass_time(0.05)
    desk.pass_time(5)


def seen_by(desk: Desk, account: str) -> list[tuple[object, ...]]:
    """All but the order ids, which are random."""
    return [
        (r.type, r.time, r.broker_order_id, r.execution_id, r.quantity, r.price, r.fee, r.liquidity, r.reason)
        for r in desk.reports
        if r.account_id == account
    ]


ROUGH = PaperSettings(seed=5, delay_rate=0.2, repeat_rate=0.2, reorder_rate=0.2, lose_rate=0.1, reject_rate=0.1)


async def test_the_same_seed_and_commands_give_the_same_reports_whichever_account_is_served_first() -> None:
    one, two = await Desk(ROUGH).open(), await Desk(ROUGH).open()
    day_of_trading(one, ["a", "b", "c"])
    day_of_trading(two, ["c", "a", "b"])
    assert len(one.reports) > 100
    for account in "abc":
        assert seen_by(one, account) == seen_by(two, account)


async def test_another_seed_gives_another_day() -> None:
    one, two = await Desk(ROUGH).open(), await Desk(replace(ROUGH, seed=6)).open()
    day_of_trading(one, ["a", "b", "c"])
    day_of_trading(two, ["a", "b", "c"])
    assert seen_by(one, "a") != seen_by(two, "a")


async def test_every_execution_has_an_id_of_its_own() -> None:
    desk = await Desk(PaperSettings()).open()
    day_of_trading(desk, ["a", "b", "c"])
    executions = [(r.account_id, r.execution_id) for r in desk.reports if r.type is X.TRADE]
    assert len(executions) == len(set(executions)) > 50


async def test_a_fee_is_never_negative_and_every_trade_says_what_it_must() -> None:
    desk = await Desk(PaperSettings()).open()
    day_of_trading(desk, ["a", "b"])
    for report in desk.reports:
        if report.type is X.TRADE:
            assert None not in (report.quantity, report.price, report.liquidity)
            assert report.fee is not None
            assert report.fee >= ZERO
            assert report.fee_currency == "USD"
