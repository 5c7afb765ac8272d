"""A trailing stop and a server that is killed: it goes on from where callers were told that it stands."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest
from quantmesh.trading.v1.order_event_pb2 import OrderEvent
from quantmesh.trading.v1.order_pb2 import ORDER_STATUS_FILLED, NewOrder, Order
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_query_pb2 import GetOrderRequest, ListOrderEventsRequest
from quantmesh.trading.v1.order_type_pb2 import TrailingStopOrder
from quantmesh.type.v1.side_pb2 import SIDE_BUY
from quantmesh.type.v1.time_in_force_pb2 import TIME_IN_FORCE_GTC
from tests.end_to_end.books import eventually
from tests.end_to_end.vendor_desk import polygon_settings, polygon_vendor, serving, snapshot
from tests.end_to_end.vendor_streams import later, polygon_quote
from tests.support.server import Client, Site
from tests.support.vendors.polygon_market import NOW

pytestmark = pytest.mark.timeout(60)

_ACCOUNT = "a"
_TRAIL = NewOrder(
    client_order_id="trail",
    symbol="AAPL",
    side=SIDE_BUY,
    quantity="10",
    trailing_stop=TrailingStopOrder(offset="5"),
    time_in_force=TIME_IN_FORCE_GTC,
)


async def test_a_killed_server_goes_on_with_a_trailing_stop_from_where_it_stood(tmp_path: Path) -> None:
    async with polygon_vendor() as polygon:
        site = Site(tmp_path, settings={**polygon_settings(polygon), "market_routes": "AAPL=polygon"})
        polygon.snapshots["AAPL"] = snapshot("AAPL", 199, 200, NOW)
        async with serving(site) as desk:
            await desk.client.accounts.CreateAccount(
                CreateAccountRequest(account_id=_ACCOUNT, broker="paper", base_currency="USD", starting_cash="1000000")
            )
            await desk.client.orders.PlaceOrder(PlaceOrderRequest(account_id=_ACCOUNT, order=_TRAIL))
            await _stands_at(desk.client, "205")
            await polygon.until_subscribed("stocks", "Q.AAPL")
            await polygon.send("stocks", polygon_quote("AAPL", 189, later(await desk.now(), 1)))
            await _stands_at(desk.client, "195")

        # A trail that began anew at this quote would stand at 198, and what follows would not trigger it.
        back = NOW + timedelta(seconds=30)
        polygon.snapshots["AAPL"] = snapshot("AAPL", 192, 193, back)
        async with serving(site, clock_start=back.isoformat()) as desk:
            assert (await _order(desk.client)).active_stop_price == "195"
            await polygon.until(lambda: polygon.connections["stocks"] == 2)
            await polygon.until_subscribed("stocks", "Q.AAPL")
            await polygon.send("stocks", polygon_quote("AAPL", 195, later(await desk.now(), 1)))

            async def filled() -> bool:
                return (await _order(desk.client)).status == ORDER_STATUS_FILLED

            await eventually(filled, "it did not trigger at its stop", seconds=10)
            told = [event for event in await _events(desk.client) if event.order.order_id]
            assert [event.stop_moved.stop_price for event in told if event.HasField("stop_moved")] == ["205", "195"]
            assert [event.WhichOneof("event") for event in told][-2:] == ["triggered", "filled"]
            assert told[-2].triggered.trigger_price == "195"


async def _order(client: Client) -> Order:
    request = GetOrderRequest(account_id=_ACCOUNT, client_order_id=_TRAIL.client_order_id)
    return (await client.orders.GetOrder(request)).order


async def _stands_at(client: Client, price: str) -> None:
    async def there() -> bool:
        return (await _order(client)).active_stop_price == price

    await eventually(there, f"the stop did not come to {price}", seconds=10)


async def _events(client: Client) -> list[OrderEvent]:
    answer: Any = await client.orders.ListOrderEvents(ListOrderEventsRequest(account_id=_ACCOUNT))
    return list(answer.events)
