"""The same seed and the same commands give the same day."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from adapters.brokers.paper_settings import PaperSettings
from domain.decimals import ZERO
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import OrderType, Side
from tests.adapters.brokers.paper_desk import ARRIVES, COIN, PLAIN, Desk, desk_with_quote

X = ExecType


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


@pytest.mark.parametrize("served", [["a", "b"], ["b", "a"]])
async def test_orders_of_one_moment_compete_alike_whichever_account_is_served_first(served: list[str]) -> None:
    desk = await desk_with_quote(replace(PLAIN, latency_jitter_seconds=0.0))
    orders = {account: desk.send(account=account, quantity="5") for account in served}
    desk.pass_time(ARRIVES)
    assert (desk.fills(orders["a"]), desk.fills(orders["b"])) == ([("5", "101")], [])


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
