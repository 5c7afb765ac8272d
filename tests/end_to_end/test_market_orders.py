"""Orders at the paper broker in a share whose quotes are a vendor's: priced by it, and refused without it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from quantmesh.risk.v1.risk_profile_pb2 import RiskProfile
from quantmesh.risk.v1.risk_profile_update_pb2 import UpdateRiskProfileRequest
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest, GetPortfolioRequest
from quantmesh.trading.v1.fill_pb2 import Fill
from quantmesh.trading.v1.order_pb2 import NewOrder
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_query_pb2 import ListFillsRequest
from quantmesh.trading.v1.order_type_pb2 import LimitOrder, MarketOrder
from quantmesh.trading.v1.portfolio_pb2 import Portfolio
from quantmesh.type.v1.side_pb2 import SIDE_BUY, SIDE_SELL
from tests.end_to_end.books import eventually
from tests.end_to_end.refusals import Refusal, refusal
from tests.end_to_end.vendor_desk import SIMULATED, Desk, polygon_settings, polygon_vendor, serving, snapshot, stock
from tests.end_to_end.vendor_streams import later, polygon_quote
from tests.support.server import Site
from tests.support.vendors.polygon import FakePolygon, never
from tests.support.vendors.polygon import refusal as answers

pytestmark = pytest.mark.timeout(120)

_CASH: Final = Decimal(100_000)


class Trading(NamedTuple):
    desk: Desk
    polygon: FakePolygon

    async def place(self, symbol: str, quantity: int, account: str = "a", **type: Any) -> Refusal | None:
        """Buy, or sell where the quantity is negative; None when it is accepted."""
        order = NewOrder(
            client_order_id=f"{time.monotonic_ns()}",
            symbol=symbol,
            side=SIDE_BUY if quantity > 0 else SIDE_SELL,
            quantity=f"{abs(quantity)}",
            **(type or {"market": MarketOrder()}),
        )
        try:
            await self.desk.client.orders.PlaceOrder(PlaceOrderRequest(account_id=account, order=order))
        except grpc.aio.AioRpcError as error:
            return refusal(error)
        return None

    async def fills(self, count: int, symbol: str = "AAPL") -> list[Fill]:
        """Those of the account "a", oldest first, once there are so many."""
        found: list[Fill] = []

        async def there() -> bool:
            answer = await self.desk.client.orders.ListFills(ListFillsRequest(account_id="a"))
            of_symbol = (fill for fill in answer.fills if fill.symbol == symbol)
            found[:] = sorted(of_symbol, key=lambda fill: fill.sequence)
            return len(found) >= count

        await eventually(there, f"there were not {count} fills")
        return found

    async def portfolio(self) -> Portfolio:
        return (await self.desk.client.accounts.GetPortfolio(GetPortfolioRequest(account_id="a"))).portfolio


@asynccontextmanager
async def _trading(folder: Path, **more: object) -> AsyncIterator[Trading]:
    """Shares are Polygon's; the paper broker charges nothing, so that prices can be told."""
    free = {"paper_slippage": 0, "paper_taker_fee_rate": 0, "paper_maker_fee_rate": 0}
    async with polygon_vendor() as polygon:
        polygon.tickers.append(stock("IBM"))
        settings = {**polygon_settings(polygon), **free, "market_routes": "AAPL=polygon, IBM=polygon", **more}
        async with serving(Site(folder), **settings) as desk:
            for account in ("a", "b"):
                request = CreateAccountRequest(
                    account_id=account, broker="paper", base_currency="USD", starting_cash=f"{_CASH}"
                )
                await desk.client.accounts.CreateAccount(request)
            yield Trading(desk, polygon)


async def test_orders_are_filled_at_the_vendors_quotes_and_what_is_held_is_valued_by_them(tmp_path: Path) -> None:
    async with _trading(tmp_path) as trading:
        polygon, now = trading.polygon, await trading.desk.now()
        polygon.snapshots["AAPL"] = snapshot("AAPL", 200, 200.1, now)
        assert await trading.place("AAPL", 10) is None
        (bought,) = await trading.fills(1)
        assert (bought.price, bought.quantity) == ("200.1", "10")

        # From the first order on the board follows the share's quotes by itself.
        await polygon.until_subscribed("stocks", "Q.AAPL")
        await polygon.send("stocks", polygon_quote("AAPL", 210, later(now, 500)))

        async def valued() -> bool:
            (held,) = (await trading.portfolio()).positions
            return held.mark_price == "210.5"

        await eventually(valued, "the portfolio did not follow the vendor's quotes")
        portfolio = await trading.portfolio()
        assert [(one.symbol, one.quantity, one.market_value) for one in portfolio.positions] == [("AAPL", "10", "2105")]
        assert Decimal(portfolio.equity) == _CASH + 10 * (Decimal("210.5") - Decimal("200.1"))
        assert not portfolio.missing_prices

        assert await trading.place("AAPL", -10) is None
        assert [fill.price for fill in await trading.fills(2)] == ["200.1", "210"]
        assert [path for path in polygon.requests if "/v3/snapshot" in path] == polygon.requests[1:2]


async def test_a_resting_order_is_filled_when_the_vendors_stream_comes_to_its_price(tmp_path: Path) -> None:
    async with _trading(tmp_path) as trading:
        polygon, now = trading.polygon, await trading.desk.now()
        polygon.snapshots["AAPL"] = snapshot("AAPL", 200, 201, now)
        assert await trading.place("AAPL", 10, limit=LimitOrder(price="195")) is None
        await polygon.until_subscribed("stocks", "Q.AAPL")
        for number, bid in enumerate((197, 195, 193), start=1):
            await polygon.send("stocks", polygon_quote("AAPL", bid, later(now, number)))
        (bought,) = await trading.fills(1)
        assert Decimal(194) <= Decimal(bought.price) <= Decimal(195)


async def test_without_its_vendor_a_share_is_not_traded_and_the_rest_is(tmp_path: Path) -> None:
    async with _trading(tmp_path, board_fetch_timeout_seconds=0.5, board_retry_seconds=0.5) as trading:
        polygon, now = trading.polygon, await trading.desk.now()
        polygon.snapshots["AAPL"] = snapshot("AAPL", 200, 201, now)
        assert await trading.place("AAPL", 10) is None
        await trading.fills(1)
        await _let_no_quote_be_older_than_a_second(trading)
        polygon.bad_days.extend([answers(503, {})] * 1_000)
        polygon.silent_handshake = True
        await polygon.until(lambda: "stocks" in polygon.sockets)
        polygon.drop("stocks")

        async def stale() -> bool:
            return await trading.place("AAPL", 1) is not None

        await eventually(stale, "it was traded on an old quote")
        refused = await trading.place("AAPL", 1)
        assert refused is not None
        assert (refused.reason, refused.rules) == ("RISK_CHECK_FAILED", ["QUOTE_FRESH"])
        unknown = await trading.place("IBM", 1)
        assert unknown is not None
        assert unknown.rules == ["INSTRUMENT_KNOWN"]
        for _ in range(5):
            assert await trading.place(SIMULATED, 1) is None
        await trading.fills(5, SIMULATED)
        bought = len(await trading.fills(1))
        assert [(one.symbol, one.quantity) for one in (await trading.portfolio()).positions] == [
            ("AAPL", f"{bought + 9}"),
            (SIMULATED, "5"),
        ]

        polygon.bad_days.clear()
        polygon.silent_handshake = False

        async def again() -> bool:
            polygon.snapshots["AAPL"] = snapshot("AAPL", 300, 301, await trading.desk.now())
            return await trading.place("AAPL", 1) is None

        await eventually(again, "it was not traded again when the vendor was back")
        assert (await trading.fills(bought + 1))[-1].price == "301"


async def _let_no_quote_be_older_than_a_second(trading: Trading) -> None:
    request = UpdateRiskProfileRequest(
        account_id="a",
        risk_profile=RiskProfile(max_quote_age=Duration(seconds=1)),
        update_mask=FieldMask(paths=["max_quote_age"]),
    )
    await trading.desk.client.risk.UpdateRiskProfile(request)


async def test_a_mute_vendor_delays_nobody_but_who_trades_its_share_and_that_not_for_long(tmp_path: Path) -> None:
    async with _trading(tmp_path, board_fetch_timeout_seconds=1, polygon_timeout_seconds=30) as trading:
        polygon = trading.polygon
        polygon.bad_days.extend([never] * 100)
        polygon.silent_handshake = True
        began = time.monotonic()
        waiting = asyncio.create_task(trading.place("AAPL", 1))
        took: list[float] = []
        while not waiting.done() or len(took) < 10:
            at = time.monotonic()
            assert await trading.place(SIMULATED, 1, account="b") is None
            took.append(time.monotonic() - at)
            await asyncio.sleep(0.05)
        assert await waiting is not None
        assert 0.9 < time.monotonic() - began < 4
        assert sorted(took)[len(took) // 2] < 0.3, took
        at = time.monotonic()
        assert await trading.place(SIMULATED, 1) is None
        assert await trading.place("AAPL", 1) is not None
        assert time.monotonic() - at < 0.8, "that it is mute is known: nobody waits for it again"
