"""Two servers on one database: the newer one owns it, and the older one can commit nothing more."""

import asyncio
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from tests.end_to_end.audit import audit
from tests.end_to_end.followers import Followers
from tests.end_to_end.order_mix import OrderMix, markets
from tests.end_to_end.refusals import refusal
from tests.end_to_end.traders import Traders
from tests.support.postgres import postgres_server
from tests.support.server import Client, Site, free_port

# Several processes one after the other, on a machine that may have others to serve.
pytestmark = pytest.mark.timeout(180)

_TAKEN_OVER = 3


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    return Site(tmp_path, database=postgres_server().new_database() if request.param == "postgresql" else "")


async def test_a_second_server_takes_over_under_load_and_nothing_is_lost_or_doubled(site: Site) -> None:
    traders = Traders()
    followers = Followers(traders.account_id)
    with site.start() as first, closing(replace(site, port=free_port()).start()) as second:
        async with first.client() as client:
            await traders.open_account(client)
            health = asyncio.create_task(_health_until_the_end(client))
            async with followers.following(client):
                await asyncio.gather(traders.trade(client), asyncio.to_thread(second.ready))
                assert (await health)[-1] == HealthCheckResponse.NOT_SERVING
        assert await asyncio.to_thread(first.exit_status) == _TAKEN_OVER
        assert "another server has taken over" in first.log
        async with second.client() as client:
            await audit(client, traders, followers)


async def test_a_server_that_was_idle_learns_of_the_takeover_by_its_first_change_and_ends(site: Site) -> None:
    traders = Traders()
    with site.start() as first:
        async with first.client() as client:
            await traders.open_account(client)
            order = OrderMix(1, await markets(client)).at_market()
            request = PlaceOrderRequest(account_id=traders.account_id, order=order)
            with replace(site, port=free_port()).start() as second:
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await client.orders.PlaceOrder(request)
                assert refusal(failure.value).reason == "ACCOUNT_RECOVERING"
                assert refusal(failure.value).retry
                assert await asyncio.to_thread(first.exit_status) == _TAKEN_OVER
                async with second.client() as other:
                    answer = await other.orders.PlaceOrder(request)
                    assert not answer.replayed
                    assert answer.sequence == 3  # after the account and its profile


async def _health_until_the_end(client: Client) -> list[Any]:
    """What the health of the server was, in turn."""
    return [answer.status async for answer in client.health.Watch(HealthCheckRequest())]
