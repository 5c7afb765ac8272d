"""How exposures are told on the wire."""

from decimal import Decimal

from application.risk.queries.get_exposure_query import ExposureView
from domain.risk.services.exposure import Exposure
from domain.risk.value_objects.limits import LimitUse
from quantmesh.risk.v1 import exposure_pb2 as pb
from server.mapping.common import to_timestamp
from server.mapping.exposure import exposure_message
from tests.support.trading import START

D = Decimal
LONG, UNKNOWN = Exposure(D(300), D(100)), Exposure(D(5), is_known=False)


def view(total: Exposure, equity: Decimal | None, missing: tuple[str, ...] = ()) -> ExposureView:
    parts = {"": total}
    use = LimitUse("MAX_POSITION", "ACME", D(50), D(200), "units", D(25))
    return ExposureView("desk", "USD", equity, total, parts, parts, parts, parts, parts, (use,), missing, START, 9)


def test_an_exposure_is_told_with_its_parts_and_the_use_of_limits() -> None:
    part = pb.ExposurePart(
        key="",
        long_exposure="300",
        short_exposure="100",
        gross_exposure="400",
        net_exposure="200",
        equity_percent="40",
    )
    assert exposure_message(view(LONG, D(1_000))) == pb.Exposure(
        account_id="desk",
        currency="USD",
        equity="1000",
        long_exposure="300",
        short_exposure="100",
        gross_exposure="400",
        net_exposure="200",
        leverage="0.4",
        by_symbol=[part],
        by_currency=[part],
        by_sector=[part],
        by_strategy=[part],
        by_account=[part],
        limits=[pb.LimitUse(rule="MAX_POSITION", key="ACME", value="50", limit="200", unit="units", used_percent="25")],
        as_of_time=to_timestamp(START),
        sequence=9,
    )


def test_what_lacks_a_price_is_empty_and_named() -> None:
    told = exposure_message(view(UNKNOWN, None, ("ACME", "EUR/USD")))
    assert list(told.missing_prices) == ["ACME", "EUR/USD"]
    assert (told.equity, told.gross_exposure, told.leverage) == ("", "", "")
    assert told.by_symbol[0] == pb.ExposurePart()


def test_without_equity_there_is_no_leverage() -> None:
    told = exposure_message(view(LONG, D(0)))
    assert (told.equity, told.leverage, told.by_symbol[0].equity_percent) == ("0", "", "")
    assert told.gross_exposure == "400"
