"""The contract by grpcurl, as a person at 3 a.m. calls it: no stubs, only reflection and JSON."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import pytest

from tests.end_to_end.contract_calls import METHODS
from tests.support.parts import program
from tests.support.server import ServerProcess, Site

pytestmark = pytest.mark.requires("grpcurl")

_SECONDS: Final = 15.0
_SERVICES: Final = sorted({method.containing_service.full_name for method in METHODS.values()})
_ORDERS: Final = "quantmesh.trading.v1.OrderService"
_ACCOUNTS: Final = "quantmesh.trading.v1.AccountService"
_RISK: Final = "quantmesh.risk.v1.RiskService"
_MARKET: Final = "quantmesh.marketdata.v1.MarketDataService"
_HALT: Final = {"scope": {"strategy": {"strategy_id": "momentum", "account_id": "demo"}}, "reason": "a drill"}
_ORDER: Final = {"client_order_id": "c-1", "symbol": "AAPL", "side": "SIDE_BUY", "quantity": "10"}


class Answer(NamedTuple):
    """`messages` are what came on stdout; `error` is what grpcurl prints of a status."""

    messages: list[Any]
    error: str


class Grpcurl:
    def __init__(self, address: str) -> None:
        self._address = address

    def run(self, *arguments: str) -> str:
        """A verb of grpcurl's own, such as list."""
        return self._run([self._address, *arguments]).stdout

    def call(self, method: str, *requests: dict[str, Any], seconds: float = 0.0) -> Answer:
        """Send the requests, then half-close, as grpcurl does; with `seconds`, hang up after so long."""
        limit = ["-max-time", str(seconds)] if seconds else []
        data = " ".join(map(json.dumps, requests)) or "{}"
        ended = self._run([*limit, "-d", data, self._address, method])
        return Answer(list(_json_values(ended.stdout)), ended.stderr)

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        command = [str(program("grpcurl")), "-plaintext", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)


def _json_values(text: str) -> Iterator[Any]:
    """The JSON values of which `text` consists."""
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        yield value


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with Site(tmp_path_factory.mktemp("site")).start() as server:
        yield server


@pytest.fixture(scope="module")
def grpcurl(server: ServerProcess) -> Grpcurl:
    """On a server with one account."""
    grpcurl = Grpcurl(server.address)
    account = {"account_id": "demo", "broker": "paper", "base_currency": "USD", "starting_cash": "100000"}
    [created] = grpcurl.call(f"{_ACCOUNTS}/CreateAccount", account).messages
    assert created["account"]["account_id"] == "demo"
    return grpcurl


# -- reflection --------------------------------------------------------------------------------------------


def test_list_names_every_service_of_the_contract_and_health(grpcurl: Grpcurl) -> None:
    assert set(grpcurl.run("list").split()) >= {*_SERVICES, "grpc.health.v1.Health"}


@pytest.mark.parametrize("service", _SERVICES)
def test_describe_shows_each_method_with_its_messages(service: str, grpcurl: Grpcurl) -> None:
    shown = grpcurl.run("describe", service)
    methods = [method for method in METHODS.values() if method.containing_service.full_name == service]
    for method in methods:
        assert f"rpc {method.name} (" in shown
    assert f"rpc {methods[0].name} (" in grpcurl.run("describe", methods[0].full_name)
    assert "message " in grpcurl.run("describe", methods[0].input_type.full_name)


def test_health_is_told_for_each_service(grpcurl: Grpcurl) -> None:
    for service in ("", *_SERVICES):
        assert grpcurl.call("grpc.health.v1.Health/Check", {"service": service}).messages == [{"status": "SERVING"}]


# -- what the contract shows as an example -------------------------------------------------------------------


def test_the_contracts_own_example_is_placed_and_can_be_repeated(grpcurl: Grpcurl) -> None:
    example = {
        "account_id": "demo",
        "order": {**_ORDER, "limit": {"price": "187.25"}, "time_in_force": "TIME_IN_FORCE_GTC"},
    }
    [first] = grpcurl.call(f"{_ORDERS}/PlaceOrder", example).messages
    [again] = grpcurl.call(f"{_ORDERS}/PlaceOrder", example).messages
    assert first["order"]["status"] == "ORDER_STATUS_PENDING_NEW"
    assert again == {**first, "replayed": True}
    [found] = grpcurl.call(f"{_ORDERS}/GetOrder", {"account_id": "demo", "client_order_id": "c-1"}).messages
    assert found["order"]["order_id"] == first["order"]["order_id"]


def test_what_is_wrong_is_shown_with_its_reason_and_its_field(grpcurl: Grpcurl) -> None:
    error = grpcurl.call(f"{_ORDERS}/PlaceOrder", {"account_id": "demo", "order": {**_ORDER, "quantity": "-1"}}).error
    for shown in ("InvalidArgument", "google.rpc.ErrorInfo", '"quantmesh"', "google.rpc.BadRequest", "order.quantity"):
        assert shown in error


def test_a_rule_that_an_order_fails_is_shown_with_value_and_limit(grpcurl: Grpcurl) -> None:
    order = {**_ORDER, "client_order_id": "too-much", "quantity": "1000000", "market": {}}
    error = grpcurl.call(f"{_ORDERS}/PlaceOrder", {"account_id": "demo", "order": order}).error
    for shown in ("FailedPrecondition", "RISK_CHECK_FAILED", "google.rpc.PreconditionFailure", "BUYING_POWER", "limit"):
        assert shown in error


# -- each service: something good, something bad -------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        (f"{_ORDERS}/ListOrders", {"account_id": "demo"}, "orders"),
        (f"{_ORDERS}/ListOrderEvents", {"account_id": "demo", "page_size": 1}, "events"),
        (f"{_ORDERS}/ListBrokers", {}, "brokers"),
        (f"{_ACCOUNTS}/GetPortfolio", {"account_id": "demo"}, "portfolio"),
        (f"{_ACCOUNTS}/ListAccounts", {}, "accounts"),
        (f"{_RISK}/GetRiskProfile", {"account_id": "demo"}, "risk_profile"),
        (f"{_RISK}/CheckOrder", {"account_id": "demo", "order": {**_ORDER, "market": {}}}, "results"),
        (f"{_RISK}/GetFirmRiskProfile", {}, "risk_profile"),
        (
            f"{_RISK}/SizePosition",
            {"account_id": "demo", "symbol": "AAPL", "side": "SIDE_BUY", "percent_of_equity": {"percent": "5"}},
            "explanation",
        ),
        (f"{_RISK}/GetExposure", {"account_id": "demo"}, "exposure"),
        (f"{_RISK}/SetTradingState", {**_HALT, "trading_state": "TRADING_STATE_HALTED"}, "state"),
        (f"{_RISK}/ListTradingStates", {"account_id": "demo"}, "states"),
        (f"{_RISK}/EngageKillSwitch", _HALT, "kill_switch"),
        (f"{_RISK}/ListKillSwitches", {"account_id": "demo"}, "kill_switches"),
        (f"{_RISK}/ArmDeadManSwitch", {**_HALT, "timeout": "3600s"}, "dead_man_switch"),
        (f"{_RISK}/ListDeadManSwitches", {"account_id": "demo"}, "dead_man_switches"),
        (f"{_RISK}/ListAuditRecords", {"account_id": "demo"}, "audit_records"),
        (f"{_MARKET}/SearchInstruments", {"query": "apple"}, "instruments"),
        (f"{_MARKET}/GetQuote", {"symbol": "AAPL"}, "quote"),
        (f"{_MARKET}/GetOrderBook", {"symbol": "BTC/USD", "depth": 3}, "order_book"),
        (f"{_MARKET}/ListBars", {"symbol": "SAP", "interval": "BAR_INTERVAL_ONE_DAY", "page_size": 5}, "bars"),
    ],
)
def test_a_good_request_is_answered(method: str, request_: dict[str, Any], field: str, grpcurl: Grpcurl) -> None:
    answer = grpcurl.call(method, request_)
    assert answer.error == ""
    [message] = answer.messages
    assert message[field]


@pytest.mark.parametrize(
    ("method", "request_", "code", "reason"),
    [
        (f"{_ORDERS}/GetOrder", {"account_id": "demo", "order_id": "x"}, "NotFound", "ORDER_NOT_FOUND"),
        (
            f"{_ORDERS}/PlaceOrder",
            {"account_id": "x", "order": {**_ORDER, "market": {}}},
            "PermissionDenied",
            "ACCOUNT",
        ),
        (f"{_ORDERS}/StreamFills", {"account_id": "demo", "after_sequence": "99"}, "OutOfRange", "SEQUENCE_IN_FUTURE"),
        (f"{_ACCOUNTS}/GetAccount", {}, "InvalidArgument", "account_id"),
        (f"{_RISK}/UpdateRiskProfile", {"account_id": "demo"}, "InvalidArgument", "risk_profile"),
        (f"{_RISK}/GetKillSwitch", {"kill_switch_id": "x"}, "NotFound", "KILL_SWITCH_NOT_FOUND"),
        (f"{_RISK}/EngageKillSwitch", {"scope": {"all": {}}}, "InvalidArgument", "reason"),
        (f"{_RISK}/EngageKillSwitch", {"reason": "which?"}, "InvalidArgument", "scope"),
        (f"{_MARKET}/GetQuote", {"symbol": "NOBODY"}, "NotFound", "INSTRUMENT_NOT_FOUND"),
        ("quantmesh.strategy.v1.StrategyService/ListStrategies", {}, "Unimplemented", "NOT_IMPLEMENTED"),
    ],
)
def test_a_bad_request_is_explained(
    method: str, request_: dict[str, Any], code: str, reason: str, grpcurl: Grpcurl
) -> None:
    answer = grpcurl.call(method, request_)
    assert answer.messages == []
    assert f"Code: {code}" in answer.error
    assert reason in answer.error


# -- streams, on which grpcurl half-closes --------------------------------------------------------------------


def test_a_stream_of_events_starts_where_it_is_told(grpcurl: Grpcurl) -> None:
    request = {"account_id": "demo", "after_sequence": "0"}
    messages = grpcurl.call(f"{_ORDERS}/StreamOrderEvents", request, seconds=2).messages
    assert messages[0]["event"]["account_created"]["starting_cash"] == "100000"
    assert [message["event"]["sequence"] for message in messages] == [str(n + 1) for n in range(len(messages))]


def test_a_subscription_goes_on_after_the_half_close(grpcurl: Grpcurl) -> None:
    request = {"request_id": "1", "subscribe": {"channel": "CHANNEL_QUOTES", "symbols": ["AAPL", "NOBODY"]}}
    answer, *data = grpcurl.call(f"{_MARKET}/Subscribe", request, seconds=3).messages
    assert answer["request_id"] == "1"
    assert [added["symbol"] for added in answer["ack"]["added"]] == ["AAPL"]
    assert [failed["symbol"] for failed in answer["ack"]["failures"]] == ["NOBODY"]
    assert [message["quote"]["symbol"] for message in data if "quote" in message].count("AAPL") >= 2
    assert [message["status"]["state"] for message in data if "status" in message] == ["STREAM_STATE_LIVE"]


def test_a_session_answers_all_commands_and_ends_with_its_lease(grpcurl: Grpcurl) -> None:
    order = {**_ORDER, "client_order_id": "in-session", "limit": {"price": "1"}, "time_in_force": "TIME_IN_FORCE_GTC"}
    answer = grpcurl.call(
        f"{_ORDERS}/OrderSession",
        {"command_id": "1", "open": {"account_id": "demo", "lease": "1s", "cancel_on_disconnect": True}},
        {"command_id": "2", "place": {"order": order}},
        {"command_id": "3", "place": {"order": {**order, "quantity": "0"}}},
        {"command_id": "4", "cancel": {"client_order_id": "nobody"}},
        {"command_id": "5", "keep_alive": {}},
    )
    assert answer.error == ""
    opened, done, malformed, missing, renewed, expired = answer.messages
    assert opened["opened"]["session_id"]
    assert done["done"]["order"]["client_order_id"] == "in-session"
    assert malformed["error"]["details"][1]["field_violations"][0]["field"] == "place.order.quantity"
    assert missing["error"]["details"][0]["reason"] == "ORDER_NOT_FOUND"
    assert renewed["lease_renewed"]["lease_expire_time"]
    assert expired["lease_expired"]["canceled_order_ids"] == [done["done"]["order"]["order_id"]]
    assert [message.get("command_id") for message in answer.messages] == ["1", "2", "3", "4", "5", None]


def test_a_session_whose_first_message_does_not_open_it_fails(grpcurl: Grpcurl) -> None:
    answer = grpcurl.call(f"{_ORDERS}/OrderSession", {"command_id": "1", "keep_alive": {}})
    assert "COMMAND_OUT_OF_PLACE" in answer.error
