"""Calls that the audit records, and what it has recorded of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from adapters.persistence.memory import MemoryDatabase
from adapters.persistence.store import memory_store
from quantmesh.marketdata.v1 import market_data_service_pb2
from quantmesh.risk.v1 import audit_pb2 as pb
from quantmesh.risk.v1 import dead_man_switch_pb2, kill_switch_pb2, risk_service_pb2, trading_state_pb2
from quantmesh.risk.v1.risk_profile_pb2 import RiskProfile
from quantmesh.risk.v1.risk_profile_update_pb2 import UpdateFirmRiskProfileRequest, UpdateRiskProfileRequest
from quantmesh.risk.v1.scope_pb2 import Scope, SymbolScope
from quantmesh.trading.v1 import account_service_pb2, order_change_pb2, order_placement_pb2, order_service_pb2
from quantmesh.type.v1.sort_order_pb2 import SORT_ORDER_OLDEST_FIRST
from quantmesh.type.v1.trading_state_pb2 import TRADING_STATE_HALTED
from tests.server.rig import ACCOUNT, Rig, limit
from tests.support.engine import FaultyJournal
from tests.support.ledger import FailingAt
from tests.support.server import Client

PLACE = "quantmesh.trading.v1.OrderService/PlaceOrder"
SERVICES = {
    "marketdata.v1.MarketDataService": market_data_service_pb2,
    "trading.v1.OrderService": order_service_pb2,
    "trading.v1.AccountService": account_service_pb2,
    "risk.v1.RiskService": risk_service_pb2,
}
ALLOWED, DENIED, FAILED = pb.AUDIT_OUTCOME_ALLOWED, pb.AUDIT_OUTCOME_DENIED, pb.AUDIT_OUTCOME_FAILED
BOSS = (("x-quantmesh-actor", "boss"),)
NOBODY = "nobody"


async def records(rig: Rig, **where: Any) -> list[pb.AuditRecord]:
    """Those that were made since the account was, the oldest first."""
    request = pb.ListAuditRecordsRequest(order_by=SORT_ORDER_OLDEST_FIRST, **where)
    listed = await rig.client.risk.ListAuditRecords(request)
    assert not listed.next_page_token
    return [record for record in listed.audit_records if not record.rpc.endswith("/CreateAccount")]


async def the_record(rig: Rig, **where: Any) -> pb.AuditRecord:
    [record] = await records(rig, **where)
    return record


def placing(client_order_id: str = "x", account_id: str = ACCOUNT, **more: Any) -> Any:
    return order_placement_pb2.PlaceOrderRequest(account_id=account_id, order=limit(client_order_id, **more))


@asynccontextmanager
async def failing() -> AsyncIterator[tuple[Rig, FailingAt]]:
    """A server with the account, whose store fails when the test says so."""
    fails = FailingAt()
    store = memory_store(MemoryDatabase(), fails)
    rig = Rig(replace(store, journal=FaultyJournal(store.journal)))
    await rig.start()
    async with grpc.aio.insecure_channel(rig.transport.address) as channel:
        rig.client = Client(channel)
        await rig.create()
        yield rig, fails
        await rig.stop()
        await rig.transport.stop(0)
        await rig.engine.stop()


HALT = trading_state_pb2.SetTradingStateRequest(
    scope=Scope(symbol=SymbolScope(symbol="BOLT", account_id=ACCOUNT)), trading_state=TRADING_STATE_HALTED, reason="why"
)
NO_HALT = trading_state_pb2.SetTradingStateRequest(
    scope=Scope(account_id=NOBODY), trading_state=TRADING_STATE_HALTED, reason="why"
)
REQUESTS: dict[str, Any] = {
    "PlaceOrder": placing("y"),
    "PlaceOrders": order_placement_pb2.PlaceOrdersRequest(account_id=ACCOUNT, orders=[limit("y")]),
    "PlaceOrderGroup": order_placement_pb2.PlaceOrderGroupRequest(
        account_id=ACCOUNT, oco=order_placement_pb2.OcoGroup(orders=[limit("a"), limit("b")])
    ),
    "ReplaceOrder": order_change_pb2.ReplaceOrderRequest(account_id=ACCOUNT, client_order_id="x", quantity="90"),
    "CancelOrder": order_change_pb2.CancelOrderRequest(account_id=ACCOUNT, client_order_id="x", reason="why"),
    "CancelOrders": order_change_pb2.CancelOrdersRequest(account_id=ACCOUNT, reason="why"),
    "CreateAccount": account_service_pb2.CreateAccountRequest(
        account_id="new", broker="scripted", base_currency="USD", starting_cash="1"
    ),
    "UpdateRiskProfile": UpdateRiskProfileRequest(
        account_id=ACCOUNT,
        risk_profile=RiskProfile(max_order_quantity="5"),
        update_mask=FieldMask(paths=["max_order_quantity"]),
        reason="why",
    ),
    "UpdateFirmRiskProfile": UpdateFirmRiskProfileRequest(
        risk_profile=RiskProfile(max_order_quantity="5"),
        update_mask=FieldMask(paths=["max_order_quantity"]),
        reason="why",
    ),
    "SetTradingState": HALT,
    "EngageKillSwitch": kill_switch_pb2.EngageKillSwitchRequest(scope=Scope(account_id=ACCOUNT), reason="why"),
    "ReleaseKillSwitch": kill_switch_pb2.ReleaseKillSwitchRequest(
        kill_switch_id="none", reason="why", expected_version=1
    ),
    "ArmDeadManSwitch": dead_man_switch_pb2.ArmDeadManSwitchRequest(
        scope=Scope(account_id=ACCOUNT), timeout=Duration(seconds=60), reason="why"
    ),
    "RefreshDeadManSwitch": dead_man_switch_pb2.RefreshDeadManSwitchRequest(dead_man_switch_id="none"),
    "DisarmDeadManSwitch": dead_man_switch_pb2.DisarmDeadManSwitchRequest(dead_man_switch_id="none", reason="why"),
}


def unary_calls() -> dict[str, str]:
    """The full names of the unary calls, by their own."""
    found: dict[str, str] = {}
    for name, module in SERVICES.items():
        service = module.DESCRIPTOR.services_by_name[name.rpartition(".")[2]]
        found |= {m.name: f"{service.full_name}/{m.name}" for m in service.methods if not m.server_streaming}
    return found


def send(rig: Rig, rpc: str, request: Any) -> Any:
    call: Any = rig.client.channel.unary_unary(
        f"/{unary_calls()[rpc]}", request_serializer=type(request).SerializeToString
    )
    return call(request, metadata=BOSS)
