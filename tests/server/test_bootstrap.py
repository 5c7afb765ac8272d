"""What `quantmesh serve` puts together: the real broker and market, subsets of services, restarts."""

from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest

from quantmesh.marketdata.v1.market_data_query_pb2 import GetQuoteRequest
from quantmesh.trading.v1 import order_pb2
from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest, GetPortfolioRequest, ListPositionsRequest
from quantmesh.trading.v1.broker_pb2 import ListBrokersRequest
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_query_pb2 import GetOrderRequest
from quantmesh.trading.v1.order_stream_pb2 import StreamFillsRequest
from quantmesh.type.v1.side_pb2 import SIDE_SELL
from server.bootstrap import Application
from server.settings import SettingsError, load_settings
from tests.server.rig import application, limit, refusal, within
from tests.support.server import Client

DEMO = CreateAccountRequest(account_id="demo", broker="paper", base_currency="USD", starting_cash="100000")


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


async def buy(client: Client, client_order_id: str, **more: Any) -> order_pb2.Order:
    fields: dict[str, Any] = {"symbol": "AAPL", "quantity": "10", "market": {}, "time_in_force": 0}
    order = limit(client_order_id, **fields | more)
    return (await client.orders.PlaceOrder(PlaceOrderRequest(account_id="demo", order=order))).order


async def test_an_order_is_placed_filled_and_streamed(tmp_path: Path) -> None:
    async with application(tmp_path) as (_, client):
        await client.accounts.CreateAccount(DEMO)
        fills = client.orders.StreamFills(StreamFillsRequest(account_id="demo", after_sequence=0))
        order = await buy(client, "c-1")
        filled = (await within(fills.read())).fill
        assert (filled.order_id, filled.symbol) == (order.order_id, "AAPL")
        portfolio = (await client.accounts.GetPortfolio(GetPortfolioRequest(account_id="demo"))).portfolio
        assert [position.symbol for position in portfolio.positions] == ["AAPL"]
        assert portfolio.equity


async def test_the_paper_broker_is_listed_as_simulated(tmp_path: Path) -> None:
    async with application(tmp_path) as (_, client):
        [paper] = (await client.orders.ListBrokers(ListBrokersRequest())).brokers
        assert (paper.broker, paper.simulated, paper.connected, paper.post_only) == ("paper", True, True, True)


@pytest.mark.parametrize("chosen", ["trading", "marketdata", "strategy"])
async def test_a_process_serves_the_services_that_it_is_told_to(chosen: str, tmp_path: Path) -> None:
    async with application(tmp_path, services=chosen) as (_, client):
        probes: dict[str, Any] = {
            "trading": client.orders.ListBrokers(ListBrokersRequest()),
            "marketdata": client.market.GetQuote(GetQuoteRequest(symbol="AAPL")),
        }
        for service, probe in probes.items():
            if service == chosen:
                await probe
            else:
                assert (await refusal(probe)).reason == "NOT_IMPLEMENTED"
        names = {
            "trading": "quantmesh.trading.v1.OrderService",
            "marketdata": "quantmesh.marketdata.v1.MarketDataService",
            "strategy": "quantmesh.strategy.v1.StrategyService",
        }
        await client.health.Check(HealthCheckRequest(service=names[chosen]))


async def test_after_a_restart_everything_is_as_it_was(tmp_path: Path) -> None:
    async with application(tmp_path, database="") as (_, client):
        await client.accounts.CreateAccount(DEMO)
        stream = client.orders.StreamFills(StreamFillsRequest(account_id="demo", after_sequence=0))
        await buy(client, "bought")
        await within(stream.read())
        resting = await buy(client, "resting", quantity="1", limit={"price": "1"}, market=None, time_in_force=2)
    assert (tmp_path / "quantmesh.db").exists()
    async with application(tmp_path, database="") as (_, client):
        again = await buy(client, "resting", quantity="1", limit={"price": "1"}, market=None, time_in_force=2)
        assert again.order_id == resting.order_id
        held = await client.accounts.ListPositions(ListPositionsRequest(account_id="demo"))
        assert [position.quantity for position in held.positions] == ["10"]
        # The paper broker knows of the position: an order that only reduces it is filled.
        fills = client.orders.StreamFills(StreamFillsRequest(account_id="demo"))
        await within(fills.read())
        await buy(client, "sold", side=SIDE_SELL, reduce_only=True)
        assert (await within(fills.read())).fill.client_order_id == "sold"
        order = await client.orders.GetOrder(GetOrderRequest(account_id="demo", client_order_id="sold"))
        assert order.order.status == order_pb2.ORDER_STATUS_FILLED


async def test_a_new_data_folder_keeps_itself_out_of_a_repository(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    async with application(tmp_path, database="", data_dir=folder):
        assert (folder / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"database": "mysql://x"}, "database: must be"),
        ({"database": "postgresql://nobody@127.0.0.1:1/none"}, "database: cannot be opened"),
        ({"database": "", "data_dir": Path("/dev/null/x")}, "data_dir: /dev/null/x cannot be made"),
        ({"crash_at": "ack:often"}, "crash_at: must be POINT"),
        ({"paper": {"seed": "x"}}, "paper.seed"),
        ({"simulation": {"tick_interval": 0}}, "tick_interval"),
    ],
    ids=str,
)
async def test_what_an_operator_can_put_right_is_said_in_one_line(
    settings: dict[str, Any], says: str, tmp_path: Path
) -> None:
    given: dict[str, Any] = {"listen": "127.0.0.1:0", "database": "memory:", "data_dir": tmp_path} | settings
    with pytest.raises(SettingsError, match=says) as refused:
        await Application(load_settings(**given), lambda: None).start()
    assert "\n" not in str(refused.value)


async def test_a_second_server_that_finds_the_port_in_use_leaves_the_first_alone(tmp_path: Path) -> None:
    async with application(tmp_path, database="") as (first, client):
        await client.accounts.CreateAccount(DEMO)
        second = Application(
            load_settings(listen=first.address, database="", data_dir=tmp_path), lambda: pytest.fail("fenced")
        )
        with pytest.raises(SettingsError, match="cannot be had"):
            await second.start()
        assert (await buy(client, "still")).order_id
