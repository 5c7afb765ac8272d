"""How the paper venue behaves: what it charges, how late it answers, and what goes wrong on the way."""

from dataclasses import dataclass
from decimal import Decimal

from domain.decimals import ONE, ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSettings:
    """Raises ValueError naming the setting and its rule.

    Rates lie in 0..1. A fee is a fraction of the fill's notional, at least `minimum_fee` for each fill, in
    the instrument's currency. `slippage` is a fraction of the price, against the trader, for orders without
    a limit. Resting orders look at new quotes every `match_interval_seconds`; a quote older than
    `max_quote_age_seconds` trades with nobody. The trailing stops of a symbol that have moved are reported
    together, and again after `stop_report_interval_seconds` at the earliest. A finished order is remembered,
    and its client id refused, until `remembered_orders` more have finished. Of the faults, `lose_rate`
    concerns answers to commands only: the command is executed, and `find` tells. Delayed, repeated and
    reordered reports come within `max_fault_delay_seconds`.
    """

    seed: int = 1
    latency_seconds: float = 0.002
    latency_jitter_seconds: float = 0.002
    maker_fee_rate: Decimal = Decimal("0.0002")
    taker_fee_rate: Decimal = Decimal("0.0005")
    minimum_fee: Decimal = ZERO
    slippage: Decimal = Decimal("0.0001")
    match_interval_seconds: float = 0.1
    max_quote_age_seconds: float = 60.0
    stop_report_interval_seconds: float = 1.0
    remembered_orders: int = 50_000
    delay_rate: float = 0.0
    repeat_rate: float = 0.0
    reorder_rate: float = 0.0
    lose_rate: float = 0.0
    reject_rate: float = 0.0
    max_fault_delay_seconds: float = 1.0

    def __post_init__(self) -> None:
        for name in _RATES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: must lie in 0..1")
        for name in _NOT_NEGATIVE:
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: must not be negative")
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}: must be above zero")
        if not ZERO <= self.slippage < ONE:
            raise ValueError("slippage: must lie in 0..1, 1 excluded")

    @property
    def damages_reports(self) -> bool:
        return any((self.delay_rate, self.repeat_rate, self.reorder_rate, self.lose_rate))


_RATES = (
    "maker_fee_rate",
    "taker_fee_rate",
    "delay_rate",
    "repeat_rate",
    "reorder_rate",
    "lose_rate",
    "reject_rate",
)
_NOT_NEGATIVE = (
    "seed",
    "latency_seconds",
    "latency_jitter_seconds",
    "minimum_fee",
    "stop_report_interval_seconds",
)
_POSITIVE = (
    "match_interval_seconds",
    "max_quote_age_seconds",
    "remembered_orders",
    "max_fault_delay_seconds",
)
