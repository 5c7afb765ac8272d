"""Thousands of calls in the same moment: each is answered."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from quantmesh.trading.v1.account_service_pb2 import GetAccountRequest
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from tests.end_to_end.order_mix import OrderMix, markets
from tests.end_to_end.traders import Traders
from tests.support.server import Site

pytestmark = pytest.mark.timeout(180)

_AT_ONCE: Final = 3_000


async def test_a_burst_of_calls_waits_for_its_turn_and_is_answered_whole(tmp_path: Path) -> None:
    traders = Traders()
    with Site(tmp_path).start() as server:
        async with server.client() as client:
            await traders.open_account(client)
            mix = OrderMix(1, await markets(client))
            orders = [
                PlaceOrderRequest(account_id=traders.account_id, order=mix.resting(), validate_only=number % 2 == 0)
                for number in range(_AT_ONCE)
            ]
            read = GetAccountRequest(account_id=traders.account_id)
            answers = await asyncio.gather(*(client.orders.PlaceOrder(order) for order in orders))
            accounts = await asyncio.gather(*(client.accounts.GetAccount(read) for _ in range(_AT_ONCE)))
    placed = [answer.sequence for answer in answers if answer.sequence]
    assert len(set(placed)) == _AT_ONCE // 2
    assert all(account.account.sequence >= max(placed) for account in accounts)
