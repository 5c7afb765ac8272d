import re
from decimal import Decimal
from typing import Any

import pytest

from adapters.brokers.paper_settings import PaperSettings


def test_by_default_nothing_goes_wrong_on_the_way() -> None:
    assert not PaperSettings().damages_reports


@pytest.mark.parametrize("rate", ["delay_rate", "repeat_rate", "reorder_rate", "lose_rate"])
def test_any_rate_above_zero_damages_reports(rate: str) -> None:
    rates: dict[str, Any] = {rate: 0.1}
    assert PaperSettings(**rates).damages_reports


@pytest.mark.parametrize(
    ("setting", "value", "rule"),
    [
        ("lose_rate", 1.5, "lose_rate: must lie in 0..1"),
        ("reject_rate", -0.1, "reject_rate: must lie in 0..1"),
        ("delay_rate", float("nan"), "delay_rate: must lie in 0..1"),
        ("taker_fee_rate", Decimal(2), "taker_fee_rate: must lie in 0..1"),
        ("minimum_fee", Decimal(-1), "minimum_fee: must not be negative"),
        ("latency_seconds", -1.0, "latency_seconds: must not be negative"),
        ("stop_report_interval_seconds", -1.0, "stop_report_interval_seconds: must not be negative"),
        ("match_interval_seconds", 0.0, "match_interval_seconds: must be above zero"),
        ("remembered_orders", 0, "remembered_orders: must be above zero"),
        ("slippage", Decimal(1), "slippage: must lie in 0..1, 1 excluded"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_with_its_rule(setting: str, value: Any, rule: str) -> None:
    settings: dict[str, Any] = {setting: value}
    with pytest.raises(ValueError, match=re.escape(rule)):
        PaperSettings(**settings)
