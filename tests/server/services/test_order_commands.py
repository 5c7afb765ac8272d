"""Placing, changing and cancelling orders over the wire."""

from typing import Any

import grpc
import pytest

from domain.trading.value_objects.execution_report import ExecType
from quantmesh.trading.v1 import order_pb2
from quantmesh.trading.v1.order_change_pb2 import CancelOrderRequest, CancelOrdersRequest, ReplaceOrderRequest
from quantmesh.trading.v1.order_placement_pb2 import (
    BracketGroup,
    OcoGroup,
    OtoGroup,
    PlaceOrderGroupRequest,
    PlaceOrderRequest,
    PlaceOrdersRequest,
)
from quantmesh.trading.v1.order_query_pb2 import GetOrderRequest
from quantmesh.type.v1.rule_result_pb2 import OrderCheck
from quantmesh.type.v1.side_pb2 import SIDE_BUY, SIDE_SELL
from quantmesh.type.v1.time_in_force_pb2 import TIME_IN_FORCE_DAY, TIME_IN_FORCE_GTD
from tests.server.rig import ACCOUNT, Rig, limit, refusal, scripted

CODE = grpc.StatusCode


def request(**order: Any) -> PlaceOrderRequest:
    return PlaceOrderRequest(account_id=ACCOUNT, order=limit(**order))


async def test_a_placed_order_is_answered_as_it_was_recorded() -> None:
    async with scripted() as rig:
        answer = await rig.client.orders.PlaceOrder(
            request(client_order_id="c-1", strategy_id="s", tags={"b": "2", "a": "1"}), metadata=()
        )
        order = answer.order
        assert (order.client_order_id, order.symbol, order.quantity, order.limit.price) == ("c-1", "ACME", "100", "50")
        assert (order.status, order.version, order.leaves_quantity, order.fees) == (
            order_pb2.ORDER_STATUS_PENDING_NEW,
            1,
            "100",
            "0",
        )
        assert (order.broker, order.strategy_id, dict(order.tags)) == ("scripted", "s", {"a": "1", "b": "2"})
        assert (answer.sequence, order.sequence, answer.replayed) == (2, 2, False)
        assert not answer.HasField("check")
        assert rig.broker.times("submit", order.order_id) == 1


@pytest.mark.parametrize(
    "kind",
    [
        {"market": {}},
        {"limit": {"price": "50"}},
        {"stop": {"stop_price": "49.5"}},
        {"stop_limit": {"stop_price": "49.5", "price": "49"}},
        {"trailing_stop": {"offset": "1.25"}},
        {"trailing_stop": {"percent": "2.5"}},
    ],
    ids=str,
)
async def test_every_order_type_comes_back_as_it_was_sent(kind: dict[str, Any]) -> None:
    async with scripted() as rig:
        sent = limit(**kind)
        order = (await rig.client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT, order=sent))).order
        name = sent.WhichOneof("type")
        assert name is not None
        assert order.WhichOneof("type") == name
        assert getattr(order, name) == getattr(sent, name)
        assert (await rig.order()).order_id == order.order_id


async def test_an_unset_time_in_force_is_day_and_an_expiry_is_kept() -> None:
    async with scripted() as rig:
        assert (await rig.place("day", time_in_force=0)).time_in_force == TIME_IN_FORCE_DAY
        expiring = limit("gtd", time_in_force=TIME_IN_FORCE_GTD)
        expiring.expire_time.FromJsonString("2025-06-03T00:00:00Z")
        placed = (await rig.client.orders.PlaceOrder(PlaceOrderRequest(account_id=ACCOUNT, order=expiring))).order
        assert placed.expire_time == expiring.expire_time


async def test_a_repeated_placement_gives_the_first_answer_again() -> None:
    async with scripted() as rig:
        first = await rig.client.orders.PlaceOrder(request())
        rig.tell(first.order, ExecType.NEW)
        await rig.settled()
        again = await rig.client.orders.PlaceOrder(request())
        assert again.replayed
        assert (again.order, again.sequence) == (first.order, first.sequence)
        assert rig.broker.times("submit", first.order.order_id) == 1


async def test_the_same_client_order_id_with_other_content_is_refused() -> None:
    async with scripted() as rig:
        order = await rig.place()
        refused = await refusal(rig.client.orders.PlaceOrder(request(quantity="101")))
        assert (refused.code, refused.reason) == (CODE.ALREADY_EXISTS, "CLIENT_ORDER_ID_REUSED")
        assert refused.metadata == {"client_order_id": "x", "order_id": order.order_id}


async def test_a_broken_rule_keeps_the_order_as_rejected_and_names_the_rule() -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.orders.PlaceOrder(request(quantity="1000000")))
        assert (refused.code, refused.reason) == (CODE.FAILED_PRECONDITION, "RISK_CHECK_FAILED")
        assert refused.rules == ["BUYING_POWER", "MAX_LEVERAGE"]
        assert refused.detail(OrderCheck) is None
        kept = await rig.order()
        assert refused.metadata == {"order_id": kept.order_id, "client_order_id": "x"}
        assert (kept.status, kept.reject_reason) == (order_pb2.ORDER_STATUS_REJECTED, "BUYING_POWER")
        assert "buying power" in kept.reject_text
        again = await refusal(rig.client.orders.PlaceOrder(request(quantity="1000000")))
        assert (again.reason, again.metadata["replayed"]) == ("RISK_CHECK_FAILED", "true")


async def test_validate_only_tells_every_rule_and_records_nothing() -> None:
    async with scripted() as rig:
        answer = await rig.client.orders.PlaceOrder(
            PlaceOrderRequest(account_id=ACCOUNT, order=limit(), validate_only=True)
        )
        assert (answer.order.order_id, answer.sequence) == ("", 0)
        assert answer.check.passed
        assert {result.rule for result in answer.check.results} >= {"INSTRUMENT_KNOWN", "BUYING_POWER", "TICK_SIZE"}
        assert answer.check.margin.buying_power_before == "1000000"
        assert answer.check.margin.buying_power_after == "995000"
        assert (answer.check.margin.margin_used_before, answer.check.margin.margin_used_after) == ("0", "5000")
        assert (await refusal(rig.client.orders.GetOrder(_get()))).code is CODE.NOT_FOUND
        assert not (await rig.client.orders.PlaceOrder(request())).replayed


async def test_validate_only_of_a_bad_order_fails_with_the_check_among_the_details() -> None:
    async with scripted() as rig:
        bad = PlaceOrderRequest(account_id=ACCOUNT, order=limit(price="50.001", quantity="9999999"), validate_only=True)
        refused = await refusal(rig.client.orders.PlaceOrder(bad))
        assert refused.rules == ["TICK_SIZE", "BUYING_POWER", "MAX_LEVERAGE"]
        check = refused.detail(OrderCheck)
        assert [result.rule for result in check.results if not result.passed] == refused.rules
        assert check.sequence == 1
        assert "order_id" not in refused.metadata


async def test_contradicting_terms_are_malformed_and_leave_the_id_free() -> None:
    async with scripted() as rig:
        refused = await refusal(rig.client.orders.PlaceOrder(request(post_only=True, market={})))
        assert (refused.code, refused.reason) == (CODE.INVALID_ARGUMENT, "INVALID_REQUEST")
        assert list(refused.fields) == ["order.post_only"]
        assert (await rig.place()).status == order_pb2.ORDER_STATUS_PENDING_NEW


async def test_the_actor_of_the_metadata_is_journaled_and_a_bad_one_is_refused() -> None:
    async with scripted() as rig:
        await rig.client.orders.PlaceOrder(request(), metadata=(("x-quantmesh-actor", "ann"),))
        *_, event = await rig.engine.store.events(ACCOUNT, 0, 100)
        assert event.actor == "user:ann"
        bad = await refusal(
            rig.client.orders.PlaceOrder(request(client_order_id="y"), metadata=(("x-quantmesh-actor", "x" * 65),))
        )
        assert list(bad.fields) == ["x-quantmesh-actor"]


def _get(client_order_id: str = "x") -> GetOrderRequest:
    return GetOrderRequest(account_id=ACCOUNT, client_order_id=client_order_id)


# -- many at once ------------------------------------------------------------------------------------------


async def test_place_orders_gives_each_order_its_own_result() -> None:
    async with scripted() as rig:
        answer = await rig.client.orders.PlaceOrders(
            PlaceOrdersRequest(account_id=ACCOUNT, orders=[limit("a"), limit("b", quantity="9999999"), limit("c")])
        )
        assert [result.WhichOneof("outcome") for result in answer.results] == ["placed", "error", "placed"]
        assert [result.index for result in answer.results] == [0, 1, 2]
        assert answer.results[1].error.code == CODE.FAILED_PRECONDITION.value[0]
        assert answer.results[2].placed.sequence == 4


async def test_atomic_place_orders_places_none_when_one_is_refused() -> None:
    async with scripted() as rig:
        orders = [limit("a"), limit("b", quantity="9999999")]
        refused = await refusal(
            rig.client.orders.PlaceOrders(PlaceOrdersRequest(account_id=ACCOUNT, orders=orders, atomic=True))
        )
        assert (refused.reason, refused.metadata["index"]) == ("RISK_CHECK_FAILED", "1")
        assert (await refusal(rig.client.orders.GetOrder(_get("a")))).code is CODE.NOT_FOUND


async def test_one_malformed_order_refuses_the_whole_request_and_is_named() -> None:
    async with scripted() as rig:
        orders = [limit("a"), limit("b", quantity="1e3")]
        refused = await refusal(rig.client.orders.PlaceOrders(PlaceOrdersRequest(account_id=ACCOUNT, orders=orders)))
        assert list(refused.fields) == ["orders[1].quantity"]
        assert (await refusal(rig.client.orders.GetOrder(_get("a")))).code is CODE.NOT_FOUND


async def test_validating_many_orders_counts_the_ones_before_in() -> None:
    async with scripted() as rig:
        orders = [limit("a", quantity="15000"), limit("b", quantity="15000")]
        answer = await rig.client.orders.PlaceOrders(
            PlaceOrdersRequest(account_id=ACCOUNT, orders=orders, validate_only=True)
        )
        assert [result.WhichOneof("outcome") for result in answer.results] == ["placed", "error"]
        assert answer.results[0].placed.check.passed
        assert answer.results[0].placed.order.order_id == ""


# -- groups ------------------------------------------------------------------------------------------------


async def test_a_bracket_comes_back_with_its_entry_first_and_its_exits_held() -> None:
    async with scripted() as rig:
        answer = await rig.client.orders.PlaceOrderGroup(
            PlaceOrderGroupRequest(account_id=ACCOUNT, client_group_id="g", bracket=_bracket())
        )
        entry, profit, loss = answer.orders
        assert (answer.group_id, answer.client_group_id, answer.sequence) == ("g", "g", 4)
        assert [order.held for order in answer.orders] == [False, True, True]
        assert {profit.parent_order_id, loss.parent_order_id} == {entry.order_id}
        assert {order.group_type for order in answer.orders} == {order_pb2.ORDER_GROUP_TYPE_BRACKET}
        assert loss.active_stop_price == "45"
        again = await rig.client.orders.PlaceOrderGroup(
            PlaceOrderGroupRequest(account_id=ACCOUNT, client_group_id="g", bracket=_bracket())
        )
        assert (again.replayed, again.orders) == (True, answer.orders)


def _bracket() -> BracketGroup:
    return BracketGroup(
        entry=limit("entry"),
        take_profit=limit("profit", price="60", side=SIDE_SELL),
        stop_loss=limit("loss", side=SIDE_SELL, stop={"stop_price": "45"}),
    )


async def test_a_group_that_breaks_a_rule_is_refused_whole_and_names_the_order() -> None:
    async with scripted() as rig:
        group = OtoGroup(parent=limit("p"), children=[limit("c", quantity="9999999")])
        refused = await refusal(
            rig.client.orders.PlaceOrderGroup(PlaceOrderGroupRequest(account_id=ACCOUNT, oto=group))
        )
        assert (refused.reason, refused.metadata["order"]) == ("RISK_CHECK_FAILED", "oto.children[0]")
        assert (await refusal(rig.client.orders.GetOrder(_get("p")))).code is CODE.NOT_FOUND


async def test_a_validated_group_shows_a_check_for_each_order_and_no_ids() -> None:
    async with scripted() as rig:
        group = OcoGroup(orders=[limit("a", price="49"), limit("b", price="48")])
        answer = await rig.client.orders.PlaceOrderGroup(
            PlaceOrderGroupRequest(account_id=ACCOUNT, oco=group, validate_only=True)
        )
        assert [check.passed for check in answer.checks] == [True, True]
        assert [order.order_id for order in answer.orders] == ["", ""]
        assert (answer.group_id, answer.sequence) == ("", 0)


# -- changes -----------------------------------------------------------------------------------------------


async def _working(rig: Rig, client_order_id: str = "x", **more: Any) -> order_pb2.Order:
    order = await rig.place(client_order_id, **more)
    rig.tell(order, ExecType.NEW)
    await rig.settled()
    return order


async def test_a_replace_is_pending_with_its_old_content_until_the_broker_answers() -> None:
    async with scripted() as rig:
        order = await _working(rig)
        replace = ReplaceOrderRequest(account_id=ACCOUNT, order_id=order.order_id, quantity="150", expected_version=2)
        answer = await rig.client.orders.ReplaceOrder(replace)
        assert (answer.order.status, answer.order.quantity) == (order_pb2.ORDER_STATUS_PENDING_REPLACE, "100")
        assert answer.sequence == answer.order.sequence == 4
        rig.tell(order, ExecType.REPLACED, request_version=answer.order.version)
        await rig.settled()
        assert (await rig.order()).quantity == "150"


async def test_a_replace_of_an_older_version_is_aborted() -> None:
    async with scripted() as rig:
        await _working(rig)
        replace = ReplaceOrderRequest(account_id=ACCOUNT, client_order_id="x", quantity="150", expected_version=1)
        refused = await refusal(rig.client.orders.ReplaceOrder(replace))
        assert (refused.code, refused.reason) == (CODE.ABORTED, "VERSION_MISMATCH")
        assert refused.metadata["current_version"] == "2"
        assert refused.metadata["expected_version"] == "1"


async def test_a_replace_names_its_fields_as_the_request_does() -> None:
    async with scripted() as rig:
        await _working(rig)
        no_stop = ReplaceOrderRequest(account_id=ACCOUNT, client_order_id="x", stop_price="49")
        assert list((await refusal(rig.client.orders.ReplaceOrder(no_stop))).fields) == ["stop_price"]
        nothing = ReplaceOrderRequest(account_id=ACCOUNT, client_order_id="x")
        assert "at least one change" in (await refusal(rig.client.orders.ReplaceOrder(nothing))).status.message


async def test_a_validated_replace_shows_the_order_as_it_would_be() -> None:
    async with scripted() as rig:
        await _working(rig)
        replace = ReplaceOrderRequest(account_id=ACCOUNT, client_order_id="x", limit_price="51", validate_only=True)
        answer = await rig.client.orders.ReplaceOrder(replace)
        assert (answer.order.limit.price, answer.sequence) == ("51", 0)
        assert (await rig.order()).limit.price == "50"


async def test_a_cancel_is_pending_until_the_broker_answers_and_safe_to_repeat() -> None:
    async with scripted() as rig:
        order = await _working(rig)
        cancel = CancelOrderRequest(account_id=ACCOUNT, client_order_id="x", reason="changed my mind")
        answer = await rig.client.orders.CancelOrder(cancel)
        assert answer.order.status == order_pb2.ORDER_STATUS_PENDING_CANCEL
        assert (await rig.client.orders.CancelOrder(cancel)).sequence == answer.sequence
        rig.tell(order, ExecType.CANCELED)
        await rig.settled()
        canceled = await rig.order()
        assert canceled.status == order_pb2.ORDER_STATUS_CANCELED
        assert canceled.cancel_reason == order_pb2.CANCEL_REASON_REQUESTED
        assert canceled.leaves_quantity == "0"


async def test_a_filled_order_cannot_be_cancelled_and_an_unknown_one_is_not_found() -> None:
    async with scripted() as rig:
        order = await _working(rig)
        rig.fill(order, "e1", 100)
        await rig.settled()
        refused = await refusal(
            rig.client.orders.CancelOrder(CancelOrderRequest(account_id=ACCOUNT, order_id=order.order_id))
        )
        assert (refused.code, refused.reason) == (CODE.FAILED_PRECONDITION, "ORDER_NOT_OPEN")
        assert refused.metadata["status"] == "FILLED"
        missing = await refusal(
            rig.client.orders.CancelOrder(CancelOrderRequest(account_id=ACCOUNT, client_order_id="nobody"))
        )
        assert (missing.code, missing.reason) == (CODE.NOT_FOUND, "ORDER_NOT_FOUND")


async def test_cancel_orders_takes_the_orders_that_match_and_no_others() -> None:
    async with scripted() as rig:
        await _working(rig, "a", strategy_id="s")
        await _working(rig, "b", side=SIDE_SELL, price="60", strategy_id="s")
        await _working(rig, "c", symbol="BOLT", price="20")
        answer = await rig.client.orders.CancelOrders(
            CancelOrdersRequest(account_id=ACCOUNT, side=SIDE_BUY, strategy_id="s")
        )
        assert [result.client_order_id for result in answer.results] == ["a"]
        assert answer.results[0].order.status == order_pb2.ORDER_STATUS_PENDING_CANCEL
        assert answer.sequence == 8
        rest = await rig.client.orders.CancelOrders(CancelOrdersRequest(account_id=ACCOUNT))
        assert [result.client_order_id for result in rest.results] == ["a", "b", "c"]
