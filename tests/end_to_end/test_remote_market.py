"""Two processes: one serves market data, the other trades by them, over the contract and nothing else."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from quantmesh.marketdata.v1.market_data_stream_pb2 import StreamQuotesRequest
from quantmesh.risk.v1.risk_profile_pb2 import RiskProfile
from quantmesh.risk.v1.risk_profile_update_pb2 import UpdateRiskProfileRequest
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest
from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_query_pb2 import ListFillsRequest
from quantmesh.trading.v1.order_type_pb2 import MarketOrder
from quantmesh.type.v1.side_pb2 import SIDE_BUY
from tests.end_to_end.books import eventually
from tests.end_to_end.refusals import Refusal, refusal
from tests.support.server import Client, ServerProcess, Site

pytestmark = pytest.mark.timeout(120)

_AGE_SECONDS: Final = 1
# No fees and no slippage, so that a price can be told; and nobody waits long for a server that is gone.
_NEAR: Final[dict[str, object]] = {
    "services": "trading",
    "paper_slippage": 0,
    "board_fetch_timeout_seconds": 0.5,
    "board_retry_seconds": 0.2,
    "board_longest_retry_seconds": 0.5,
}
# Another market than the one that the trading process would make for itself, and slow enough to see every quote.
_FAR: Final[dict[str, object]] = {"services": "marketdata", "simulation_seed": 99, "simulation_tick_interval": 0.5}


class Desk(NamedTuple):
    """`far` is where market data come from; `client` is of the process that trades."""

    far: Site
    client: Client

    async def buy(self, symbol: str = "AAPL") -> Refusal | None:
        order = NewOrder(
            client_order_id=f"{time.monotonic_ns()}", symbol=symbol, side=SIDE_BUY, quantity="1", market=MarketOrder()
        )
        try:
            await self.client.orders.PlaceOrder(PlaceOrderRequest(account_id="a", order=order))
        except grpc.aio.AioRpcError as error:
            return refusal(error)
        return None

    async def fill_prices(self) -> list[str]:
        """Oldest first."""
        fills = (await self.client.orders.ListFills(ListFillsRequest(account_id="a"))).fills
        return [fill.price for fill in sorted(fills, key=lambda fill: fill.sequence)]

    async def start_far(self) -> ServerProcess:
        return await asyncio.to_thread(self.far.start(**_FAR).ready)


@asynccontextmanager
async def _trading(folder: Path) -> AsyncIterator[Desk]:
    """The process that trades, told of a server of market data that does not run yet."""
    for name in ("near", "far"):
        (folder / name).mkdir()
    near, far = Site(folder / "near"), Site(folder / "far")
    with near.start(**_NEAR, remote_address=far.address) as server:
        async with server.client() as client:
            await client.accounts.CreateAccount(
                CreateAccountRequest(account_id="a", broker="paper", base_currency="USD", starting_cash="100000")
            )
            await client.risk.UpdateRiskProfile(
                UpdateRiskProfileRequest(
                    account_id="a",
                    risk_profile=RiskProfile(max_quote_age=Duration(seconds=_AGE_SECONDS)),
                    update_mask=FieldMask(paths=["max_quote_age"]),
                )
            )
            yield Desk(far, client)


async def _asks_of(server: ServerProcess, seen: set[str]) -> None:
    async with server.client() as client:
        async for message in client.market.StreamQuotes(StreamQuotesRequest(symbols=["AAPL"])):
            if message.HasField("quote"):
                seen.add(message.quote.ask_price)


async def test_orders_stand_on_the_quotes_of_the_other_process_and_wait_for_it_when_it_is_gone(tmp_path: Path) -> None:
    async with _trading(tmp_path) as desk:
        refused = await desk.buy()
        assert refused is not None, "it was traded without any market data"
        assert refused.rules == ["INSTRUMENT_KNOWN"]

        far = await desk.start_far()
        try:
            asks: set[str] = set()
            watching = asyncio.create_task(_asks_of(far, asks))

            async def traded() -> bool:
                return await desk.buy() is None

            await eventually(traded, "the server of market data was not found")
            await eventually(lambda: _has(desk, 1), "the order was not filled")
            assert (await desk.buy("NOPE-X")) is not None
            assert (await desk.buy()) is None
            await eventually(lambda: _has(desk, 2), "the order was not filled")
            watching.cancel()
            assert set(await desk.fill_prices()) <= asks
        finally:
            far.kill()

        gone = time.monotonic()

        async def stale() -> bool:
            return await desk.buy() is not None

        await eventually(stale, "it was traded on an old quote")
        assert time.monotonic() - gone < _AGE_SECONDS + 2
        refused = await desk.buy()
        assert refused is not None
        assert (refused.reason, refused.rules) == ("RISK_CHECK_FAILED", ["QUOTE_FRESH"])

        far = await desk.start_far()
        try:
            count = len(await desk.fill_prices())
            await eventually(traded, "it was not traded again when the market data were back")
            await eventually(lambda: _has(desk, count + 1), "the order was not filled")
        finally:
            far.kill()


async def _has(desk: Desk, count: int) -> bool:
    return len(await desk.fill_prices()) >= count
