"""What can be set of the simulated market, and what it can do."""

from dataclasses import dataclass
from typing import Literal, get_args

from application.ports.market_data import Capabilities, DataKind
from domain.market_data.bar import BarInterval
from domain.market_data.instrument import AssetClass

Sessions = Literal["always_open", "exchange"]

MOST_LEVELS = 1_000
_LONGEST_TICK = 60.0

CAPABILITIES = Capabilities(
    asset_classes=(AssetClass.EQUITY, AssetClass.ETF, AssetClass.CURRENCY, AssetClass.CRYPTO),
    requests=frozenset({DataKind.QUOTES, DataKind.BARS, DataKind.ORDER_BOOKS}),
    streams=frozenset(DataKind),
    bars=dict.fromkeys(BarInterval),
    stream_bars=frozenset(BarInterval),
    gap_means_no_trades=True,
    max_book_depth=MOST_LEVELS,
    local=True,
    notes=("Nothing in it is real: prices are made from a seed, the same for the same seed.",),
)


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """`seed` chooses the market, `tick_interval` (seconds, up to 60) how often its quotes change.

    `sessions`: with "always_open" every instrument trades around the clock, so that a server is of use on a
    Sunday; with "exchange" it keeps its venue's hours, weekends and holidays.
    """

    seed: int = 1
    tick_interval: float = 0.25
    sessions: Sessions = "always_open"

    def __post_init__(self) -> None:
        if not 0.001 <= self.tick_interval <= _LONGEST_TICK:
            raise ValueError(f"tick_interval: must be 0.001 to {_LONGEST_TICK} seconds, not {self.tick_interval}")
        if self.sessions not in get_args(Sessions):
            raise ValueError(f"sessions: must be one of {', '.join(get_args(Sessions))}, not {self.sessions!r}")
