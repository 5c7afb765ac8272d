"""SizePosition and GetExposure over a real socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_settings import SimulationSettings
from application.risk.commands.update_risk_profile_command import UpdateRiskProfile
from domain.trading.value_objects.execution_report import ExecType
from quantmesh.risk.v1 import position_sizing_pb2 as pb
from quantmesh.risk.v1 import risk_service_pb2
from quantmesh.risk.v1.exposure_pb2 import Exposure, GetExposureRequest
from quantmesh.risk.v1.order_check_pb2 import CheckOrderRequest
from quantmesh.risk.v1.risk_service_pb2_grpc import RiskServiceStub
from quantmesh.type.v1.side_pb2 import SIDE_BUY, SIDE_SELL
from server.health import HealthService
from server.services.risk_views import RiskViews
from server.transport import Transport
from tests.server.rig import ACCOUNT, Rig, limit, refusal, scripted
from tests.support.market import market_of, offer
from tests.support.trading import D

CODE = grpc.StatusCode
_RISK = risk_service_pb2.DESCRIPTOR.services_by_name["RiskService"]


class Views:
    """The views of a rig's engine on a socket of their own, with bars from the simulated market."""

    def __init__(self, rig: Rig, stub: Any) -> None:
        self.rig = rig
        self.stub = stub

    async def size(self, account_id: str = ACCOUNT, symbol: str = "ACME", side: Any = SIDE_BUY, **more: Any) -> Any:
        request = pb.SizePositionRequest(account_id=account_id, symbol=symbol, side=side, **more)
        return await self.stub.SizePosition(request)

    async def exposure(self, account_id: str = ACCOUNT, currency: str = "") -> Exposure:
        answer = await self.stub.GetExposure(GetExposureRequest(account_id=account_id, currency=currency))
        found: Exposure = answer.exposure
        return found

    async def limits(self, **limits: Any) -> None:
        await self.rig.engine.execute(UpdateRiskProfile(ACCOUNT, "user:test", limits))


@asynccontextmanager
async def views() -> AsyncIterator[Views]:
    async with scripted() as rig:
        data = SimulatedMarketData(rig.clock, SimulationSettings())
        service = RiskViews(rig.engine, market_of(rig.clock, offer(data)))
        transport = Transport(("127.0.0.1", 0), {_RISK: service}, rig.lifecycle, HealthService([_RISK.full_name]), None)
        await transport.start()
        async with grpc.aio.insecure_channel(transport.address) as channel:
            try:
                yield Views(rig, RiskServiceStub(channel))
            finally:
                await transport.stop(0)


TEN = pb.FixedQuantity(quantity="10")


async def test_a_size_is_explained_and_an_order_of_it_passes() -> None:
    async with views() as on:
        await on.limits(max_order_quantity=D(300))
        answer = await on.size(percent_risk=pb.PercentRisk(risk_percent="2", stop_price="48"))
        assert (answer.quantity, answer.unrounded_quantity, answer.notional) == ("300", "10000", "15000")
        assert (answer.price, list(answer.limited_by), answer.sequence) == ("50", ["MAX_ORDER_QUANTITY"], 2)
        assert [step.name for step in answer.steps][-2:] == ["MAX_ORDER_QUANTITY", "quantity"]
        assert answer.steps[-1].value == answer.quantity
        assert "Buy 300 shares of ACME at 50 USD" in answer.explanation
        for quantity, passes in (("300", True), ("301", False)):
            order = limit(quantity=quantity, market={})
            checked = await on.rig.client.risk.CheckOrder(CheckOrderRequest(account_id=ACCOUNT, order=order))
            assert checked.passed is passes


async def test_every_method_gives_a_size() -> None:
    async with views() as on:
        on.rig.quotes.set("ACME", "50")
        for method, quantity in (
            ({"fixed_quantity": TEN}, "10"),
            ({"fixed_notional": pb.FixedNotional(notional="1000")}, "20"),
            ({"percent_of_equity": pb.PercentOfEquity(percent="10")}, "2000"),
            ({"percent_risk": pb.PercentRisk(risk_percent="1", stop_price="40")}, "1000"),
            ({"volatility_target": pb.VolatilityTarget(risk_percent="1", atr="2", multiple="2.5")}, "2000"),
            ({"kelly": pb.Kelly(win_rate_percent="53", payoff="1", fraction="0.5")}, "600"),
            ({"equal_risk": pb.EqualRisk(risk_percent="4", position_count=8, stop_price="45")}, "1000"),
        ):
            assert (await on.size(**method)).quantity == quantity


async def test_an_average_true_range_is_computed_from_the_providers_bars() -> None:
    async with views() as on:
        aapl = SimulatedMarketData(on.rig.clock, SimulationSettings()).in_memory.instrument("AAPL")
        assert aapl is not None
        on.rig.quotes.list(aapl)
        on.rig.quotes.set("AAPL", "200")
        target = pb.VolatilityTarget(risk_percent="1", atr_period=20, bar_interval=Duration(seconds=3_600))
        answer = await on.size(symbol="AAPL", volatility_target=target)
        steps = {step.name: float(step.value) for step in answer.steps}
        assert 0 < steps["average true range"] < 20
        assert float(answer.unrounded_quantity) == pytest.approx(10_000 / steps["average true range"])


async def test_a_method_is_required_and_its_fields_are_checked() -> None:
    async with views() as on:
        for method, field in (
            ({}, "method"),
            ({"fixed_quantity": pb.FixedQuantity(quantity="-1")}, "fixed_quantity.quantity"),
            ({"kelly": pb.Kelly(win_rate_percent="50", payoff="2", fraction="1.5")}, "kelly.fraction"),
            ({"percent_risk": pb.PercentRisk(risk_percent="1", stop_price="50")}, "percent_risk.stop_price"),
            (
                {"volatility_target": pb.VolatilityTarget(risk_percent="1", bar_interval=Duration(seconds=61))},
                "volatility_target.bar_interval",
            ),
        ):
            refused = await refusal(on.size(**method))
            assert (refused.code, list(refused.fields)) == (CODE.INVALID_ARGUMENT, [field])


async def test_what_cannot_be_sized_says_why() -> None:
    async with views() as on:
        missing = await refusal(on.size(symbol="NONE", fixed_quantity=TEN))
        assert (missing.code, missing.reason) == (CODE.NOT_FOUND, "INSTRUMENT_NOT_FOUND")
        denied = await refusal(on.size("nobody", fixed_quantity=TEN))
        assert (denied.code, denied.reason) == (CODE.PERMISSION_DENIED, "ACCOUNT_NOT_AVAILABLE")
        on.rig.quotes.remove("ACME")
        unpriced = await refusal(on.size(fixed_quantity=TEN))
        assert (unpriced.code, unpriced.reason) == (CODE.FAILED_PRECONDITION, "PRICE_MISSING")
        assert unpriced.rules == ["QUOTE_PRESENT"]


async def test_the_exposure_of_an_account_is_told_with_its_limits() -> None:
    async with views() as on:
        await on.limits(max_gross_exposure=D(10_000))
        order = await on.rig.place("a", strategy_id="trend")
        on.rig.tell(order, ExecType.NEW)
        on.rig.fill(order, "e1", 40)
        await on.rig.settled()
        exposure = await on.exposure()
        assert (exposure.account_id, exposure.currency, exposure.gross_exposure) == (ACCOUNT, "USD", "5000")
        assert [(part.key, part.long_exposure) for part in exposure.by_symbol] == [("ACME", "5000")]
        assert [(part.key, part.long_exposure) for part in exposure.by_strategy] == [("trend", "5000")]
        uses = {use.rule: (use.value, use.limit, use.used_percent) for use in exposure.limits}
        assert uses["MAX_GROSS_EXPOSURE"] == ("5000", "10000", "50")
        assert exposure.equity == "999999.9"
        assert exposure.sequence > order.version


async def test_without_an_account_all_of_them_are_told() -> None:
    async with views() as on:
        await on.rig.create("other")
        await on.rig.place("a")
        await on.rig.place("a", "other", side=SIDE_SELL)
        exposure = await on.exposure("")
        assert [(part.key, part.net_exposure) for part in exposure.by_account] == [
            (ACCOUNT, "5000"),
            ("other", "-5000"),
        ]
        assert (exposure.account_id, exposure.currency, exposure.sequence) == ("", "USD", 0)
        assert (exposure.gross_exposure, exposure.net_exposure, exposure.equity) == ("10000", "0", "2000000")
        assert not exposure.limits


async def test_a_currency_that_cannot_be_converted_into_leaves_the_amounts_empty() -> None:
    async with views() as on:
        await on.rig.place("a")
        exposure = await on.exposure(currency="CHF")
        assert list(exposure.missing_prices) == ["USD/CHF"]
        assert (exposure.currency, exposure.equity, exposure.gross_exposure) == ("CHF", "", "")
        assert [(part.key, part.gross_exposure) for part in exposure.by_symbol] == [("ACME", "")]
        assert (await on.exposure("", "EUR")).missing_prices == ["USD/EUR"]


async def test_the_exposure_of_an_unknown_account_is_denied() -> None:
    async with views() as on:
        denied = await refusal(on.exposure("nobody"))
        assert (denied.code, denied.reason) == (CODE.PERMISSION_DENIED, "ACCOUNT_NOT_AVAILABLE")
