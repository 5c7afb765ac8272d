"""What the replay provider is set to, and what it can do."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from application.market_data.providers import Lack
from application.ports.market_data import Capabilities, DataKind
from domain.market_data.bar import BarInterval
from domain.market_data.instrument import AssetClass

NAME = "replay"
_FOLDER_REMEDY = "QUANTMESH_REPLAY_FOLDER=..."
_LONGEST_RESCAN_SECONDS = 3600.0

CAPABILITIES = Capabilities(
    asset_classes=tuple(AssetClass),
    requests=frozenset({DataKind.QUOTES, DataKind.BARS}),
    streams=frozenset({DataKind.QUOTES, DataKind.TRADES, DataKind.BARS}),
    bars=dict.fromkeys(BarInterval),
    stream_bars=frozenset(BarInterval),
    extended_hours=True,
    local=True,
    notes=(
        "Reads CSV and Parquet files: bars/SYMBOL.INTERVAL.csv (AAPL.1m.csv), quotes/SYMBOL.csv, trades/SYMBOL.csv,"
        " the same as .parquet, and instruments.csv with what is special about an instrument.",
        "In file names '_' stands for '/' (EUR_USD is EUR/USD), and %XX for a character that cannot be in one.",
        "Rows are in the order of time; times are ISO 8601 (UTC where they name no zone) or seconds, milliseconds,"
        " microseconds or nanoseconds since 1970. Bars are stamped by their open.",
        "Columns are found by their usual names, whatever their case and order.",
        "Bars that no file has are made of finer ones. Prices are what the files say: nothing is adjusted.",
        "Everything happens at its recorded time by the server's clock: set it into the past to see it again.",
    ),
)


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """`folder` holds the recordings; it is looked at again for new files every `rescan_seconds` at most."""

    folder: str = ""
    rescan_seconds: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.rescan_seconds <= _LONGEST_RESCAN_SECONDS:
            raise ValueError(
                f"rescan_seconds: must be above 0 and at most {_LONGEST_RESCAN_SECONDS:g} seconds,"
                f" not {self.rescan_seconds}"
            )


def lack(settings: ReplaySettings) -> Lack | None:
    """What is missing before the provider can be asked."""
    if not settings.folder:
        return Lack("no folder is set", _FOLDER_REMEDY)
    folder = Path(settings.folder)
    if not folder.is_dir():
        return Lack(f"there is no folder {settings.folder}", _FOLDER_REMEDY)
    if find_spec("pyarrow") is None and any(folder.glob("*/*.parquet")):
        return Lack("it holds Parquet files and the package pyarrow is not installed", "pip install -e '.[parquet]'")
    return None
