"""Kill switches on a real server that is killed itself, with a broker that delays, repeats and loses its answers."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from quantmesh.risk.v1.dead_man_switch_pb2 import (
    DEAD_MAN_SWITCH_STATE_FIRED,
    ArmDeadManSwitchRequest,
    ListDeadManSwitchesRequest,
    RefreshDeadManSwitchRequest,
)
from quantmesh.risk.v1.kill_switch_pb2 import (
    KILL_SWITCH_ORDER_STATE_CANCELED,
    KILL_SWITCH_ORDER_STATE_ENDED,
    EngageKillSwitchRequest,
    EngageKillSwitchResponse,
    GetKillSwitchRequest,
    GetKillSwitchResponse,
    ListKillSwitchesRequest,
    ReleaseKillSwitchRequest,
)
from quantmesh.risk.v1.scope_pb2 import AllScope, Scope, SymbolScope
from quantmesh.risk.v1.trading_state_pb2 import SetTradingStateRequest
from quantmesh.trading.v1.account_service_pb2 import GetPortfolioRequest
from quantmesh.trading.v1.order_pb2 import (
    CANCEL_REASON_KILL_SWITCH,
    ORDER_STATUS_CANCELED,
    ORDER_STATUS_FILLED,
    ORDER_STATUS_REJECTED,
    NewOrder,
    Order,
)
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_query_pb2 import GetOrderRequest, ListOrdersRequest
from quantmesh.trading.v1.order_type_pb2 import LimitOrder, MarketOrder
from quantmesh.type.v1.side_pb2 import SIDE_BUY
from quantmesh.type.v1.trading_state_pb2 import TRADING_STATE_ACTIVE
from tests.end_to_end.audit import audit
from tests.end_to_end.books import Books, eventually, read_all
from tests.end_to_end.faults import FAULTS
from tests.end_to_end.followers import Followers
from tests.end_to_end.order_mix import OrderMix, markets
from tests.end_to_end.refusals import Refusal, refusal
from tests.end_to_end.traders import Traders
from tests.support.postgres import postgres_server
from tests.support.server import Client, ServerProcess, Site

# Several processes one after the other, on a machine that may have others to serve.
pytestmark = pytest.mark.timeout(180)

_EVERYTHING: Final = Scope(all=AllScope())
_SILENT: Final = {**FAULTS, "paper_delay_rate": 0, "paper_lose_rate": 1}
_TRADING_SECONDS: Final = 1.0
_PROVEN: Final = (KILL_SWITCH_ORDER_STATE_CANCELED, KILL_SWITCH_ORDER_STATE_ENDED)


@pytest.mark.parametrize("faults", [FAULTS, _SILENT], ids=["a bad broker", "a broker that never answers"])
async def test_a_server_that_is_killed_after_the_answer_stays_stopped_until_it_is_released(
    faults: dict[str, object], tmp_path: Path
) -> None:
    await _stop_and_go_on(Site(tmp_path, settings=faults))


async def test_so_does_one_on_postgresql(tmp_path: Path) -> None:
    await _stop_and_go_on(Site(tmp_path, database=postgres_server().new_database(), settings=FAULTS))


async def _stop_and_go_on(site: Site) -> None:
    traders = [Traders("day"), Traders("night", seed=2)]
    followers = [Followers(one.account_id) for one in traders]
    async with _running(site) as (server, client):
        for one in traders:
            await one.open_account(client)
        trading = asyncio.gather(*(one.trade(client) for one in traders))
        await asyncio.sleep(_TRADING_SECONDS)
        engaged = await _engage(client, _EVERYTHING)
        server.kill()
        await trading
    assert engaged.outcomes
    with site.start():
        pass  # killed again as soon as it serves: what it was about to do is for the next
    async with _running(site) as (_, client):
        for one in traders:
            await _cannot_buy(client, one.account_id)
        stopped = await _all_proven(client, engaged)
        for one, following in zip(traders, followers, strict=True):
            _nothing_was_placed_after_it(await audit(client, one, following))
        active = SetTradingStateRequest(scope=_EVERYTHING, trading_state=TRADING_STATE_ACTIVE, reason="too early")
        assert (await _refused(client.risk.SetTradingState(active))).reason == "KILL_SWITCH_ENGAGED"
        await _release(client, stopped)
        for one in traders:
            await _buys(client, one.account_id)


async def test_a_dead_man_switch_fires_at_the_start_and_before_what_never_left_is_sent(tmp_path: Path) -> None:
    """Its time passed while the server was down, and an order was durable that its broker had not been given yet."""
    site = Site(tmp_path)
    traders = Traders()
    async with _running(site, crash_at="broker_send:4") as (server, client):
        await traders.open_account(client)
        mix = OrderMix(1, await markets(client))
        armed = ArmDeadManSwitchRequest(scope=_EVERYTHING, timeout=Duration(seconds=2), reason="nobody at the desk")
        switch = (await client.risk.ArmDeadManSwitch(armed)).dead_man_switch
        orders = [PlaceOrderRequest(account_id=traders.account_id, order=mix.at_market()) for _ in range(8)]
        await asyncio.gather(*map(client.orders.PlaceOrder, orders), return_exceptions=True)
        assert server.exit_status() == -signal.SIGKILL
    await asyncio.sleep(2)
    async with _running(site) as (_, client):
        listed = ListDeadManSwitchesRequest(include_ended=True)
        [fired] = (await client.risk.ListDeadManSwitches(listed)).dead_man_switches
        assert (fired.dead_man_switch_id, fired.state) == (switch.dead_man_switch_id, DEAD_MAN_SWITCH_STATE_FIRED)
        gone = RefreshDeadManSwitchRequest(dead_man_switch_id=switch.dead_man_switch_id)
        assert (await _refused(client.risk.RefreshDeadManSwitch(gone))).reason == "DEAD_MAN_SWITCH_NOT_FOUND"
        await _cannot_buy(client, traders.account_id)
        engaged = await _kill_switch(client, fired.kill_switch_id)
        assert engaged.kill_switch.engaged_by == f"dead_man_switch:{switch.dead_man_switch_id}"
        stopped = await _all_proven(client, engaged)
        canceled = [outcome for outcome in stopped.outcomes if outcome.state == KILL_SWITCH_ORDER_STATE_CANCELED]
        assert canceled, "no order was on its way when the server died"
        assert all(outcome.order.filled_quantity == "0" for outcome in canceled)
        await _release(client, stopped)
        await _buys(client, traders.account_id)


async def test_positions_are_closed_to_the_end_though_the_server_is_killed_meanwhile(tmp_path: Path) -> None:
    site = Site(tmp_path, settings=FAULTS)
    account_id = (traders := Traders()).account_id
    async with _running(site) as (server, client):
        await traders.open_account(client)
        for symbol in ("AAPL", "MSFT"):
            await _buys(client, account_id, f"{symbol}-1", symbol=symbol)
        await _buy(client, account_id, "resting", limit=LimitOrder(price="1"))  # has to end before anything is closed
        engaged = await _engage(client, Scope(symbol=SymbolScope(symbol="AAPL")), flatten=True)
        server.kill()
    async with _running(site) as (_, client):
        await _all_proven(client, engaged)

        async def closed() -> bool:
            return set(await _held(client, account_id)) == {"MSFT"}

        await eventually(closed, "the position was not closed")
        await _cannot_buy(client, account_id)
        await _buys(client, account_id, "MSFT-2", symbol="MSFT")
        await asyncio.sleep(_TRADING_SECONDS)  # what is closed is not closed again
        assert set(await _held(client, account_id)) == {"MSFT"}


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("point", ["journal_commit", "journal_commit_done"])
async def test_a_switch_whose_answer_was_cut_off_can_be_engaged_again(point: str, count: int, tmp_path: Path) -> None:
    """Killed at one of the first commits: engaging again gives the one switch, and everything has stopped."""
    site = Site(tmp_path)
    traders = Traders()
    async with _running(site) as (_, client):
        await traders.open_account(client)
    async with _running(site, crash_at=f"{point}:{count}") as (server, client):
        calls = [await asyncio.gather(_engage(client, _EVERYTHING), return_exceptions=True) for _ in range(count)]
        assert isinstance(calls[-1][0], grpc.aio.AioRpcError)
        assert server.exit_status() == -signal.SIGKILL
    async with _running(site) as (_, client):
        engaged = await _engage(client, _EVERYTHING)
        [listed] = (await client.risk.ListKillSwitches(ListKillSwitchesRequest(include_released=True))).kill_switches
        assert listed.kill_switch_id == engaged.kill_switch.kill_switch_id
        await _cannot_buy(client, traders.account_id)


# -- calls ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _running(site: Site, **settings: object) -> AsyncIterator[tuple[ServerProcess, Client]]:
    with site.start(**settings) as server:
        async with server.client() as client:
            await client.channel.channel_ready()  # gRPC may still hold against it that its predecessor is gone
            yield server, client


async def _engage(client: Client, scope: Scope, *, flatten: bool = False) -> EngageKillSwitchResponse:
    return await client.risk.EngageKillSwitch(EngageKillSwitchRequest(scope=scope, flatten=flatten, reason="a drill"))


async def _kill_switch(client: Client, kill_switch_id: str) -> GetKillSwitchResponse:
    return await client.risk.GetKillSwitch(GetKillSwitchRequest(kill_switch_id=kill_switch_id))


async def _release(client: Client, stopped: GetKillSwitchResponse) -> None:
    """Only with the reason and with the version as it is; then it stays readable, with every outcome."""
    switch = stopped.kill_switch
    request = ReleaseKillSwitchRequest(
        kill_switch_id=switch.kill_switch_id, expected_version=switch.version + 1, reason="the drill is over"
    )
    assert (await _refused(client.risk.ReleaseKillSwitch(request))).reason == "VERSION_MISMATCH"
    request.expected_version = switch.version
    released = (await client.risk.ReleaseKillSwitch(request)).kill_switch
    assert (released.engaged, released.version) == (False, switch.version + 1)
    assert released.release_reason == "the drill is over"
    after = await _kill_switch(client, switch.kill_switch_id)
    assert after.kill_switch == released
    assert list(after.outcomes) == list(stopped.outcomes)
    assert not (await client.risk.ListKillSwitches(ListKillSwitchesRequest())).kill_switches


def _buy(
    client: Client, account_id: str, client_order_id: str, symbol: str = "AAPL", limit: LimitOrder | None = None
) -> Awaitable[Any]:
    market = None if limit else MarketOrder()
    order = NewOrder(
        client_order_id=client_order_id, symbol=symbol, side=SIDE_BUY, quantity="10", market=market, limit=limit
    )
    return client.orders.PlaceOrder(PlaceOrderRequest(account_id=account_id, order=order))


async def _buys(client: Client, account_id: str, client_order_id: str = "after", symbol: str = "AAPL") -> None:
    """An order goes the whole way."""
    await _buy(client, account_id, client_order_id, symbol)

    async def filled() -> bool:
        request = GetOrderRequest(account_id=account_id, client_order_id=client_order_id)
        return (await client.orders.GetOrder(request)).order.status == ORDER_STATUS_FILLED

    await eventually(filled, "the order was not filled")


async def _cannot_buy(client: Client, account_id: str) -> None:
    assert "KILL_SWITCH" in (await _refused(_buy(client, account_id, "too-late"))).rules


async def _refused(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await call
    return refusal(failure.value)


async def _held(client: Client, account_id: str) -> list[str]:
    portfolio = (await client.accounts.GetPortfolio(GetPortfolioRequest(account_id=account_id))).portfolio
    return [position.symbol for position in portfolio.positions if position.quantity != "0"]


# -- what must be so -----------------------------------------------------------------------------------------


async def _all_proven(
    client: Client, engaged: EngageKillSwitchResponse | GetKillSwitchResponse
) -> GetKillSwitchResponse:
    """The switch once every order in its scope has ended; each that was named when it was engaged is told."""
    kill_switch_id = engaged.kill_switch.kill_switch_id

    async def proven() -> bool:
        return (await _kill_switch(client, kill_switch_id)).kill_switch.open_order_count == 0

    await eventually(proven, "not every order is proven to have ended")
    now = await _kill_switch(client, kill_switch_id)
    assert now.kill_switch.engaged
    assert {one.order_id for one in now.outcomes} >= {one.order_id for one in engaged.outcomes}
    for one in now.outcomes:
        assert one.state in _PROVEN
        assert (one.state == KILL_SWITCH_ORDER_STATE_CANCELED) == (one.order.status == ORDER_STATUS_CANCELED)
        assert one.order == await _order(client, one.account_id, one.order_id)
    for account_id in {one.account_id for one in now.outcomes}:
        still_open = ListOrdersRequest(account_id=account_id, open_only=True)
        assert not await read_all(client.orders.ListOrders, still_open, "orders")
    return now


async def _order(client: Client, account_id: str, order_id: str) -> Order:
    return (await client.orders.GetOrder(GetOrderRequest(account_id=account_id, order_id=order_id))).order


def _nothing_was_placed_after_it(books: Books) -> None:
    """By the account's own journal: what came after the switch was refused, and nothing of it was filled."""
    [engaged] = [event.sequence for event in books.events if event.HasField("kill_switch_engaged")]
    later = {event.order.order_id for event in books.events if event.sequence > engaged and event.order.version == 1}
    by_id = {order.order_id: order for order in books.orders}
    assert later
    assert {by_id[order_id].status for order_id in later} == {ORDER_STATUS_REJECTED}
    assert not later & {fill.order_id for fill in books.fills}
    assert any(order.cancel_reason == CANCEL_REASON_KILL_SWITCH for order in books.orders)
