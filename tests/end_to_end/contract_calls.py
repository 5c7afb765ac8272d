"""The contract's calls as a client without stubs makes them: by name, with a good request for each that is built."""

from typing import Any, Final, NamedTuple

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from quantmesh.marketdata.v1 import market_data_service_pb2
from quantmesh.risk.v1 import risk_service_pb2
from quantmesh.strategy.v1 import strategy_service_pb2
from quantmesh.trading.v1 import account_service_pb2, order_service_pb2

_FILES: Final = (
    order_service_pb2,
    account_service_pb2,
    risk_service_pb2,
    market_data_service_pb2,
    strategy_service_pb2,
)
METHODS: Final[dict[str, MethodDescriptor]] = {
    f"{service.name}/{method.name}": method
    for file in _FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}

ACCOUNT: Final = "demo"
_HERE: Final = {"account_id": ACCOUNT}
_WHY: Final = {"reason": "a drill"}
_SCOPES: Final[tuple[dict[str, Any], ...]] = (
    {"all": {}},
    {"account_id": ACCOUNT},
    {"strategy": {"strategy_id": "momentum", **_HERE}},
    {"symbol": {"symbol": "AAPL", **_HERE}},
)
_SPAN: Final = ("2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z")


def _order(client_order_id: str, side: str = "SIDE_BUY", **terms: Any) -> dict[str, Any]:
    terms = terms or {"limit": {"price": "187.25"}}
    return {"client_order_id": client_order_id, "symbol": "AAPL", "side": side, "quantity": "10", **terms}


_BRACKET: Final = {
    "entry": _order("entry"),
    "take_profit": _order("profit", "SIDE_SELL", limit={"price": "200"}),
    "stop_loss": _order("loss", "SIDE_SELL", stop={"stop_price": "150"}),
}

# Several where a request can have several forms.
GOOD: Final[dict[str, list[dict[str, Any]]]] = {
    "OrderService/PlaceOrder": [{**_HERE, "order": _order("c-1")}],
    "OrderService/PlaceOrders": [{**_HERE, "orders": [_order("c-1"), _order("c-2")]}],
    "OrderService/PlaceOrderGroup": [
        {**_HERE, "bracket": _BRACKET},
        {**_HERE, "oco": {"orders": [_order("c-1"), _order("c-2")]}},
        {**_HERE, "oto": {"parent": _order("c-1"), "children": [_order("c-2", "SIDE_SELL")]}},
    ],
    "OrderService/ReplaceOrder": [{**_HERE, "client_order_id": "nobody", "quantity": "11"}],
    "OrderService/CancelOrder": [{**_HERE, "client_order_id": "nobody"}],
    "OrderService/CancelOrders": [_HERE],
    "OrderService/GetOrder": [{**_HERE, "client_order_id": "nobody"}],
    "OrderService/ListOrders": [_HERE],
    "OrderService/ListFills": [_HERE],
    "OrderService/ListOrderEvents": [_HERE],
    "OrderService/StreamOrderEvents": [_HERE],
    "OrderService/StreamFills": [_HERE],
    "OrderService/OrderSession": [
        {"command_id": "1", "open": _HERE},
        {"command_id": "2", "place": {"order": _order("c-1")}},
        {"command_id": "3", "replace": {"client_order_id": "nobody", "quantity": "11"}},
        {"command_id": "4", "cancel": {"client_order_id": "nobody"}},
        {"command_id": "5", "cancel_all": {}},
    ],
    "OrderService/ListBrokers": [{}],
    "AccountService/CreateAccount": [{"account_id": "other", "broker": "paper", "base_currency": "USD"}],
    "AccountService/GetAccount": [_HERE],
    "AccountService/ListAccounts": [{}],
    "AccountService/GetPortfolio": [_HERE],
    "AccountService/ListPositions": [_HERE],
    "AccountService/StreamPortfolio": [_HERE],
    "RiskService/GetRiskProfile": [_HERE],
    "RiskService/UpdateRiskProfile": [{**_HERE, "risk_profile": {"max_order_quantity": "1000"}}],
    "RiskService/GetFirmRiskProfile": [{}],
    "RiskService/UpdateFirmRiskProfile": [{"risk_profile": {"max_order_quantity": "1000000"}, **_WHY}],
    "RiskService/CheckOrder": [{**_HERE, "order": _order("c-1")}],
    "RiskService/SizePosition": [
        {**_HERE, "symbol": "AAPL", "side": "SIDE_BUY", **method}
        for method in (
            {"fixed_quantity": {"quantity": "10"}},
            {"fixed_notional": {"notional": "1000"}},
            {"percent_of_equity": {"percent": "5"}},
            {"percent_risk": {"risk_percent": "1", "stop_price": "50"}},
            {"volatility_target": {"risk_percent": "1"}},
            {"kelly": {"win_rate_percent": "55", "payoff": "1.5", "fraction": "0.5"}},
            {"equal_risk": {"risk_percent": "2", "position_count": 4, "stop_price": "50"}},
        )
    ],
    "RiskService/GetExposure": [_HERE],
    "RiskService/SetTradingState": [
        {"scope": scope, "trading_state": "TRADING_STATE_HALTED", **_WHY} for scope in _SCOPES
    ],
    "RiskService/ListTradingStates": [_HERE],
    "RiskService/EngageKillSwitch": [{"scope": scope, **_WHY} for scope in _SCOPES],
    "RiskService/ReleaseKillSwitch": [{"kill_switch_id": "nobody", "expected_version": 1, **_WHY}],
    "RiskService/GetKillSwitch": [{"kill_switch_id": "nobody"}],
    "RiskService/ListKillSwitches": [_HERE],
    "RiskService/ArmDeadManSwitch": [{"scope": scope, "timeout": "60s", **_WHY} for scope in _SCOPES],
    "RiskService/RefreshDeadManSwitch": [{"dead_man_switch_id": "nobody"}],
    "RiskService/DisarmDeadManSwitch": [{"dead_man_switch_id": "nobody", **_WHY}],
    "RiskService/ListDeadManSwitches": [_HERE],
    "RiskService/StreamRiskEvents": [_HERE],
    "RiskService/ListAuditRecords": [_HERE],
    "MarketDataService/SearchInstruments": [{"query": "apple"}],
    "MarketDataService/GetInstrument": [{"symbol": "AAPL"}],
    "MarketDataService/ListInstruments": [{}],
    "MarketDataService/ListBars": [
        {"symbol": "AAPL", "interval": "BAR_INTERVAL_ONE_HOUR", "start_time": _SPAN[0], "end_time": _SPAN[1]}
    ],
    "MarketDataService/GetQuote": [{"symbol": "AAPL"}],
    "MarketDataService/BatchGetQuotes": [{"symbols": ["AAPL", "SAP"]}],
    "MarketDataService/GetOrderBook": [{"symbol": "AAPL"}],
    "MarketDataService/StreamQuotes": [{"symbols": ["AAPL"]}],
    "MarketDataService/StreamTrades": [{"symbols": ["AAPL"]}],
    "MarketDataService/StreamBars": [{"symbols": ["AAPL"], "interval": "BAR_INTERVAL_ONE_MINUTE"}],
    "MarketDataService/Subscribe": [
        {"request_id": "1", "subscribe": {"channel": "CHANNEL_QUOTES", "symbols": ["AAPL"]}},
        {"request_id": "2", "unsubscribe": {"channel": "CHANNEL_QUOTES"}},
    ],
    "MarketDataService/ListProviders": [{}],
    "MarketDataService/ListIndicators": [{}],
    "MarketDataService/ComputeIndicator": [
        {"symbol": "AAPL", "interval": "BAR_INTERVAL_ONE_DAY", "indicator": "SMA", "parameters": {"timeperiod": "20"}}
    ],
    "MarketDataService/StartBackfill": [
        {"symbols": ["AAPL"], "interval": "BAR_INTERVAL_ONE_HOUR", "start_time": _SPAN[0], "end_time": _SPAN[1]}
    ],
    "MarketDataService/GetBackfill": [{"backfill_id": "nobody"}],
    "MarketDataService/ListBackfills": [{}],
    "MarketDataService/StreamBackfill": [{"backfill_id": "nobody"}],
    "MarketDataService/CancelBackfill": [{"backfill_id": "nobody"}],
    "MarketDataService/ResumeBackfill": [{"backfill_id": "nobody"}],
}

# Changes that make a good request contradict itself, and the field that is to be named for it.
CONTRADICTIONS: Final[tuple[tuple[str, dict[str, Any], str], ...]] = (
    ("OrderService/PlaceOrder", {"order": {"time_in_force": "TIME_IN_FORCE_GTD"}}, "order.expire_time"),
    ("OrderService/PlaceOrder", {"order": {"expire_time": _SPAN[0]}}, "order.expire_time"),
    ("OrderService/PlaceOrder", {"order": {"post_only": True, "market": {}}}, "order.post_only"),
    ("OrderService/PlaceOrders", {"orders": [_order("c-1")] * 2}, "orders[1].client_order_id"),
    ("OrderService/PlaceOrderGroup", {"bracket": {"take_profit": {"side": "SIDE_BUY"}}}, "bracket"),
    ("OrderService/PlaceOrderGroup", {"bracket": {"take_profit": {"market": {}}}}, "bracket"),
    ("OrderService/ReplaceOrder", {"trail_offset": "1", "trail_percent": "1"}, "request"),
    ("OrderService/ReplaceOrder", {"time_in_force": "TIME_IN_FORCE_GTD"}, "request"),
    ("OrderService/ListOrders", {"created_after": _SPAN[1], "created_before": _SPAN[0]}, "request"),
    ("OrderService/ListFills", {"filled_after": _SPAN[0], "filled_before": _SPAN[0]}, "request"),
    ("MarketDataService/ListBars", {"end_time": _SPAN[0]}, "request"),
    ("MarketDataService/StartBackfill", {"end_time": _SPAN[0]}, "request"),
    ("MarketDataService/ComputeIndicator", {"start_time": _SPAN[0], "end_time": _SPAN[0]}, "request"),
    ("MarketDataService/ComputeIndicator", {"parameters": {"timeperiod": "0"}}, 'parameters["timeperiod"]'),
    ("MarketDataService/ComputeIndicator", {"parameters": {"timeperiod": "2.5"}}, 'parameters["timeperiod"]'),
    ("MarketDataService/ComputeIndicator", {"parameters": {"period": "2"}}, 'parameters["period"]'),
    ("MarketDataService/ComputeIndicator", {"inputs": {"volume": "BAR_FIELD_OPEN"}}, 'inputs["volume"]'),
    ("MarketDataService/Subscribe", {"subscribe": {"channel": "CHANNEL_BARS"}}, "subscribe"),
    ("MarketDataService/Subscribe", {"subscribe": {"depth": 5}}, "subscribe"),
    ("RiskService/UpdateRiskProfile", {"update_mask": "version"}, "update_mask.paths"),
    ("RiskService/UpdateRiskProfile", {"update_mask": "nothing"}, "update_mask.paths"),
    ("RiskService/UpdateRiskProfile", {"update_mask": "tradingState"}, "update_mask.paths"),
    ("RiskService/UpdateRiskProfile", {"update_mask": "orderRate.count"}, "update_mask.paths"),
    (
        "RiskService/UpdateRiskProfile",
        {"risk_profile": {"symbol_limits": [{"symbol": "AAPL"}] * 2}},
        "risk_profile.symbol_limits",
    ),
    ("RiskService/UpdateFirmRiskProfile", {"update_mask": "accountId"}, "update_mask.paths"),
    ("RiskService/UpdateFirmRiskProfile", {"update_mask": "nothing"}, "update_mask.paths"),
    ("RiskService/CheckOrder", {"order": {"expire_time": _SPAN[0]}}, "order.expire_time"),
    ("RiskService/CheckOrder", {"order": {"post_only": True, "market": {}}}, "order.post_only"),
    (
        "RiskService/SizePosition",
        {"volatility_target": {"risk_percent": "1", "bar_interval": "61s"}},
        "volatility_target.bar_interval",
    ),
    (
        "RiskService/SizePosition",
        {"kelly": {"win_rate_percent": "55", "payoff": "1.5", "fraction": "1.1"}},
        "kelly.fraction",
    ),
    (
        "RiskService/SizePosition",
        {"price": "100", "percent_risk": {"risk_percent": "1", "stop_price": "101"}},
        "percent_risk.stop_price",
    ),
    (
        "RiskService/SizePosition",
        {"price": "100", "side": "SIDE_SELL", "percent_risk": {"risk_percent": "1", "stop_price": "100"}},
        "percent_risk.stop_price",
    ),
    (
        "RiskService/SizePosition",
        {"price": "100", "equal_risk": {"risk_percent": "1", "position_count": 2, "stop_price": "101"}},
        "equal_risk.stop_price",
    ),
    ("RiskService/EngageKillSwitch", {"flatten": True, "cancel_orders": False}, "request"),
    ("RiskService/ArmDeadManSwitch", {"flatten": True, "cancel_orders": False}, "request"),
    ("RiskService/ListAuditRecords", {"recorded_after": _SPAN[0], "recorded_before": _SPAN[0]}, "request"),
)


class Rpc(NamedTuple):
    """One RPC over one channel. Requests may be bytes that are no message."""

    channel: grpc.aio.Channel
    name: str

    @property
    def method(self) -> MethodDescriptor:
        return METHODS[self.name]

    @property
    def path(self) -> str:
        return f"/{self.method.containing_service.full_name}/{self.method.name}"

    def good_requests(self) -> list[Any]:
        """A good request of each form."""
        return [ParseDict(content, GetMessageClass(self.method.input_type)()) for content in GOOD[self.name]]

    async def first_answer(self, request: Message | bytes, actor: str = "anonymous") -> Any:
        """The answer, or the first one of a stream, which is then left. A call without a stream is `actor`'s."""
        if not self.method.server_streaming:
            metadata = (("x-quantmesh-actor", actor),)
            return await self.channel.unary_unary(self.path, *self._coding())(request, metadata=metadata)
        if not self.method.client_streaming:
            return await _first(self.channel.unary_stream(self.path, *self._coding())(request))
        return await _first(self.channel.stream_stream(self.path, *self._coding())(iter([request])))

    def conversation(self) -> Any:
        """A call of a bidirectional stream, to write to and read from."""
        return self.channel.stream_stream(self.path, *self._coding())()

    def _coding(self) -> tuple[Any, Any]:
        return _serialized, GetMessageClass(self.method.output_type).FromString


async def _first(call: Any) -> Any:
    try:
        return await call.read()
    finally:
        call.cancel()


def _serialized(request: Message | bytes) -> bytes:
    return request if isinstance(request, bytes) else request.SerializeToString()
