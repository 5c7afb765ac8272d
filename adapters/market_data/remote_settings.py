"""What can be set of the remote provider, and what it can do."""

from dataclasses import dataclass

from application.market_data.providers import Lack
from application.ports.market_data import Capabilities, DataKind
from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.market_data.instrument import AssetClass

NAME = "remote"
REMEDY = "QUANTMESH_REMOTE_ADDRESS=..."
MOST_LEVELS = 1_000

CAPABILITIES = Capabilities(
    asset_classes=tuple(AssetClass),
    requests=frozenset({DataKind.QUOTES, DataKind.BARS, DataKind.ORDER_BOOKS}),
    streams=frozenset(DataKind),
    bars=dict.fromkeys(BarInterval),
    stream_bars=frozenset(BarInterval),
    adjustments=tuple(PriceAdjustment),
    extended_hours=True,
    max_book_depth=MOST_LEVELS,
    poll_seconds=1.0,
    notes=(
        "Another quantmesh is asked, and answers with the provider that serves the instrument there.",
        "This is what the contract has; what that provider lacks is refused when it is asked for, or is not there.",
        "The clocks of both servers must agree: the age of a quote is told by this one's.",
        "Holidays are those of this year and the next; in bars of earlier years they are shown as gaps.",
    ),
)


@dataclass(frozen=True, slots=True)
class RemoteSettings:
    """`address` is HOST:PORT of a server of market data, which is reached without TLS; empty where there is none.

    `timeout_seconds` bounds each request, `bars_timeout_seconds` one for a page of bars or instruments, which may have
    to be fetched there first; `stream_silence_seconds` how long a stream may give no sign of life. An instrument is
    read again after `instrument_seconds`.
    """

    address: str = ""
    timeout_seconds: float = 10.0
    bars_timeout_seconds: float = 60.0
    stream_silence_seconds: float = 20.0
    instrument_seconds: float = 60.0

    def __post_init__(self) -> None:
        host, _, port = self.address.rpartition(":")
        if self.address and not (host and port.isdecimal() and 0 < int(port) <= 65_535):
            raise ValueError(f"address: must be HOST:PORT, such as 127.0.0.1:50051, not {self.address!r}")
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name}: must be {least} to {most}, not {value}")

    @property
    def heartbeat_seconds(self) -> float:
        """How often the server must show on a silent stream that it is there; the contract has 0.1 to 300."""
        return self.stream_silence_seconds / 3


_RANGES = (
    ("timeout_seconds", 0.1, 300.0),
    ("bars_timeout_seconds", 0.1, 3600.0),
    ("stream_silence_seconds", 0.5, 900.0),
    ("instrument_seconds", 0.0, 86400.0),
)


def lack(settings: RemoteSettings) -> Lack | None:
    """What is missing before it can serve."""
    return None if settings.address else Lack("no address of a server is set", REMEDY)
