"""Sixty-four callers on one account, over the wire: they get exactly what its limits let pass, and not one more."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from quantmesh.risk.v1.kill_switch_pb2 import EngageKillSwitchRequest
from quantmesh.risk.v1.risk_profile_pb2 import RateLimit, RiskProfile
from quantmesh.risk.v1.risk_profile_update_pb2 import UpdateFirmRiskProfileRequest, UpdateRiskProfileRequest
from quantmesh.risk.v1.scope_pb2 import Scope
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest, GetPortfolioRequest, ListPositionsRequest
from quantmesh.trading.v1.order_event_pb2 import OrderEvent
from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_stream_pb2 import StreamOrderEventsRequest
from quantmesh.trading.v1.order_type_pb2 import LimitOrder, MarketOrder
from quantmesh.type.v1.side_pb2 import SIDE_BUY
from tests.end_to_end.books import eventually
from tests.end_to_end.followers import Follower
from tests.end_to_end.refusals import Refusal, refusal
from tests.support.server import Client, Site

pytestmark = pytest.mark.timeout(180)

_CALLERS: Final = 64
_EACH: Final = 4
_SYMBOL: Final = "AAPL"
# Far below the market, so that nothing is filled and every order that was accepted stays open.
_QUANTITY: Final = Decimal(3)
_PRICE: Final = Decimal(7)


class Limited(NamedTuple):
    """A profile with one limit, its rule, and how many orders of _QUANTITY at _PRICE it lets pass."""

    profile: RiskProfile
    rule: str
    passes: int


_LONG: Final = Duration(seconds=3_600)
_LIMITS: Final = [
    Limited(RiskProfile(max_open_orders=23), "MAX_OPEN_ORDERS", 23),
    Limited(RiskProfile(max_position_quantity="100"), "MAX_POSITION", 33),
    Limited(RiskProfile(max_gross_exposure="1000"), "MAX_GROSS_EXPOSURE", 47),
    Limited(RiskProfile(order_rate=RateLimit(count=40, period=_LONG)), "ORDER_RATE", 40),
]
_NAMES: Final = [limited.rule for limited in _LIMITS]


@pytest.mark.parametrize("limited", _LIMITS, ids=_NAMES)
async def test_an_accounts_own_limit_lets_pass_exactly_so_many_orders(limited: Limited, tmp_path: Path) -> None:
    async with _desk(tmp_path) as (client, journal):
        update = UpdateRiskProfileRequest(account_id="desk", risk_profile=limited.profile)
        await client.risk.UpdateRiskProfile(update)
        await _require_exactly(client, journal, limited)


async def test_so_does_the_firms_ceiling_above_an_account_that_says_nothing(tmp_path: Path) -> None:
    async with _desk(tmp_path) as (client, journal):
        update = UpdateFirmRiskProfileRequest(risk_profile=_LIMITS[1].profile, reason="enough")
        await client.risk.UpdateFirmRiskProfile(update)
        await _require_exactly(client, journal, _LIMITS[1])


async def _require_exactly(client: Client, journal: Follower, limited: Limited) -> None:
    answers = await _call_all(lambda id: _place(client, id, limit=LimitOrder(price=f"{_PRICE}")))
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    accepted = [answer for answer in answers if not isinstance(answer, Refusal)]
    assert len(accepted) == limited.passes
    assert {(one.reason, *one.rules) for one in refused} == {("RISK_CHECK_FAILED", limited.rule)}
    await _reach_the_end(client, journal)
    kinds = [event.WhichOneof("event") for event in journal.taken]
    assert kinds.count("placed") == limited.passes
    assert kinds.count("rejected") == len(refused) == _CALLERS * _EACH - limited.passes
    assert [event.sequence for event in journal.taken] == list(range(1, len(kinds) + 1))
    most = 0
    for held, open_orders in _worst_cases(journal.taken):
        most = max(most, open_orders)
        assert held + open_orders * _QUANTITY <= limited.passes * _QUANTITY
    assert most == limited.passes


def _worst_cases(events: list[OrderEvent]) -> Iterator[tuple[Decimal, int]]:
    """After every event: what is held, and how many orders are open."""
    held, open_orders = Decimal(0), set()
    for event in events:
        match event.WhichOneof("event"):
            case "placed":
                open_orders.add(event.order.order_id)
            case "filled":
                held += Decimal(event.filled.fill.quantity)
            case "canceled" | "expired":
                open_orders.discard(event.order.order_id)
        yield held, len(open_orders)


async def test_nothing_is_placed_after_a_kill_switch_but_what_closes_positions(tmp_path: Path) -> None:
    async with _desk(tmp_path) as (client, journal):
        answered = asyncio.Event()
        late: list[Any] = []

        async def call(id: str) -> Any:
            is_late = answered.is_set()
            at_market = int(id.split("-")[1]) % 2
            type: dict[str, Any] = {"market": MarketOrder()} if at_market else {"limit": LimitOrder(price="7")}
            answer = await _place(client, id, **type)
            if is_late:
                late.append(answer)
            return answer

        async def kill() -> list[str]:
            await asyncio.sleep(0.15)
            request = EngageKillSwitchRequest(scope=Scope(account_id="desk"), flatten=True, reason="enough")
            engaged = await client.risk.EngageKillSwitch(request)
            answered.set()
            return [outcome.order_id for outcome in engaged.outcomes]

        stopped, answers = await asyncio.gather(kill(), _call_all(call, each=16))
        assert late, "no caller was left when the kill switch was answered"
        assert any(not isinstance(answer, Refusal) for answer in answers), "no order came before the kill switch"
        assert all(isinstance(answer, Refusal) and "KILL_SWITCH" in answer.rules for answer in late)

        async def closed() -> bool:
            return not (await client.accounts.ListPositions(ListPositionsRequest(account_id="desk"))).positions

        await eventually(closed, "the positions were not closed")
        await _reach_the_end(client, journal)
        _require_silence_after_the_kill(journal.taken, stopped)


def _require_silence_after_the_kill(events: list[OrderEvent], stopped: list[str]) -> None:
    """Whatever the broker ever took was placed before the switch, or closes a position for it."""
    kinds = [event.WhichOneof("event") for event in events]
    kill = kinds.index("kill_switch_engaged")
    flattens = [event for event in events[kill:] if event.WhichOneof("event") == "placed"]
    assert flattens
    for event in flattens:
        assert event.order.reduce_only
        assert event.order.tags["kill_switch"] == events[kill].kill_switch_engaged.kill_switch_id
    before = {event.order.order_id for event in events[:kill] if event.WhichOneof("event") == "placed"}
    taken = {event.order.order_id for event in events if event.WhichOneof("event") in ("accepted", "filled")}
    assert taken <= before | {event.order.order_id for event in flattens}
    ended = ("canceled", "filled", "expired", "rejected")
    for order_id in stopped:
        last = [event.WhichOneof("event") for event in events if event.order.order_id == order_id][-1]
        assert last in ended, f"{order_id} was open, and nothing became of it"


# -- callers --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _desk(folder: Path) -> AsyncIterator[tuple[Client, Follower]]:
    """A server with an account, and a subscriber of its journal."""
    journal = Follower("desk", "StreamOrderEvents", StreamOrderEventsRequest, "event")
    with Site(folder).start() as server:
        async with server.client() as client:
            account = CreateAccountRequest(
                account_id="desk", broker="paper", base_currency="USD", starting_cash="100000000"
            )
            await client.accounts.CreateAccount(account)
            following = asyncio.create_task(journal.follow(client))
            try:
                yield client, journal
            finally:
                following.cancel()
                await asyncio.wait([following])


async def _call_all(call: Callable[[str], Awaitable[Any]], each: int = _EACH) -> list[Any]:
    """Each of the callers calls so many times, one after the other, all of them side by side; what they were told."""

    async def caller(number: int) -> list[Any]:
        return [await call(f"{number}-{time}") for time in range(each)]

    told = await asyncio.gather(*(caller(number) for number in range(_CALLERS)))
    return [answer for one in told for answer in one]


async def _place(client: Client, id: str, **type: Any) -> Any:
    order = NewOrder(client_order_id=f"c-{id}", symbol=_SYMBOL, side=SIDE_BUY, quantity=f"{_QUANTITY}", **type)
    try:
        return await client.orders.PlaceOrder(PlaceOrderRequest(account_id="desk", order=order))
    except grpc.aio.AioRpcError as error:
        return refusal(error)


async def _reach_the_end(client: Client, journal: Follower) -> None:
    portfolio = (await client.accounts.GetPortfolio(GetPortfolioRequest(account_id="desk"))).portfolio
    await journal.reach(portfolio.sequence)
