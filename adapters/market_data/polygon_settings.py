"""What can be set of Polygon, what it can do, and what it lacks here. Knows nothing of the SDK."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib.util import find_spec
from urllib.parse import urlsplit

from application.market_data.providers import Lack
from application.ports.market_data import Capabilities, DataKind
from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.market_data.instrument import AssetClass

KEY_REMEDY = "QUANTMESH_POLYGON_API_KEY=..."

_PACKAGE_REMEDY = "pip install -e '.[polygon]'"
_REAL_TIME_STREAM = "wss://socket.massive.com"
_DELAYED_STREAM = "wss://delayed.massive.com"
_DELAY = timedelta(minutes=15)
_MOST_SECONDS = 300.0
_MINUTE = 60.0

CAPABILITIES = Capabilities(
    asset_classes=(AssetClass.EQUITY, AssetClass.ETF, AssetClass.CURRENCY, AssetClass.CRYPTO, AssetClass.INDEX),
    requests=frozenset({DataKind.QUOTES, DataKind.BARS}),
    streams=frozenset({DataKind.QUOTES, DataKind.TRADES, DataKind.BARS}),
    bars=dict.fromkeys(BarInterval),
    stream_bars=frozenset({BarInterval.SECOND_1, BarInterval.MINUTE_1}),
    adjustments=(PriceAdjustment.RAW, PriceAdjustment.SPLITS),
    gap_means_no_trades=True,
    extended_hours=True,
    notes=(
        "What of this a key may read, and how far back, is for its plan to say.",
        "Quotes of currency pairs carry no sizes, and their bars no volume: they are made of quotes.",
        "Live quotes of crypto are those of one exchange at a time, not the best of all.",
        "Bars of a day or longer of currency pairs are made of hours, a request for each five weeks of them.",
        "There are no trades of currency pairs, and no quotes or trades of indices.",
        "Live bars are those of the regular session.",
    ),
)


@dataclass(frozen=True, slots=True)
class PolygonSettings:
    """`url` is the root of the REST interface, `stream_url` that of the streams; empty: the vendor's own.

    `timeout_seconds` is the longest wait for any answer or connection, `stream_silence_seconds` how long a stream may
    give no sign of life. `requests_per_minute` is what the plan allows (5 on the free one), 0 where it sets no limit.
    `delayed`: the plan has no real-time data but such of 15 minutes ago.
    """

    api_key: str = field(default="", repr=False)
    url: str = "https://api.massive.com"
    stream_url: str = ""
    timeout_seconds: float = 10.0
    stream_silence_seconds: float = 30.0
    requests_per_minute: int = 0
    delayed: bool = False

    def __post_init__(self) -> None:
        _check_url("url", self.url, ("http", "https"))
        if self.stream_url:
            _check_url("stream_url", self.stream_url, ("ws", "wss"))
        for name in ("timeout_seconds", "stream_silence_seconds"):
            value = getattr(self, name)
            if not 0 < value <= _MOST_SECONDS:
                raise ValueError(f"{name}: must be above 0 and at most {_MOST_SECONDS:g} seconds, not {value}")
        if self.requests_per_minute < 0:
            raise ValueError(f"requests_per_minute: must not be negative, as {self.requests_per_minute} is")

    @property
    def stream_address(self) -> str:
        return self.stream_url or (_DELAYED_STREAM if self.delayed else _REAL_TIME_STREAM)

    @property
    def delay(self) -> timedelta:
        return _DELAY if self.delayed else timedelta(0)


def capabilities(settings: PolygonSettings) -> Capabilities:
    """What it can do with the plan that the settings tell of; watching takes at most half of its requests."""
    limit = settings.requests_per_minute
    return replace(
        CAPABILITIES,
        poll_seconds=max(CAPABILITIES.poll_seconds, 2 * _MINUTE / limit) if limit else CAPABILITIES.poll_seconds,
        delay=settings.delay or None,
        requests_per_minute=limit,
    )


def lack(settings: PolygonSettings) -> Lack | None:
    """What is missing before it can serve."""
    if find_spec("massive") is None:
        return Lack("the package massive is not installed", _PACKAGE_REMEDY)
    if not settings.api_key:
        return Lack("no key is set", KEY_REMEDY)
    return None


def _check_url(name: str, value: str, schemes: tuple[str, ...]) -> None:
    parts = urlsplit(value)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"{name}: must be an address that begins with {' or '.join(schemes)}://, not {value!r}")
