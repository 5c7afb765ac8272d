"""What the Alpaca provider is set to and what it can do. Imports nothing of its SDK."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib.util import find_spec
from urllib.parse import urlsplit

from application.market_data.providers import Lack
from application.ports.market_data import Capabilities, DataKind
from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.market_data.instrument import AssetClass

NAME = "alpaca"
REMEDY = "QUANTMESH_ALPACA_KEY_ID=... QUANTMESH_ALPACA_SECRET_KEY=..."
MOST_LEVELS = 1_000
FEEDS = ("iex", "sip", "delayed_sip")
_PAPER_KEYS = "PK"
_LIVE_URL, _PAPER_URL = "https://api.alpaca.markets", "https://paper-api.alpaca.markets"
_LONGEST_SECONDS = 300.0
_LONGEST_CATALOGUE_SECONDS = 7 * 86_400.0
_IEX_SYMBOLS = 30
_DELAY = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class AlpacaSettings:
    """`feed` is where stocks are read: "iex" (free; one exchange), "sip" (all exchanges; a paid plan), "delayed_sip".

    The URLs are the vendor's without a path; an empty `trading_url` is that of live or paper trading, whichever the
    key is for. `timeout_seconds`: how long one request may take. `stream_silence_seconds`: how long a stream may be
    without any sign of life; `stream_linger_seconds`: how long it stays open after its last reader. `stream_symbols`:
    how many stocks the plan streams at a time, 0 for no limit; None is the usual limit of the feed.
    `shares_per_lot`: what a size of 1 in a stock's quote stands for. `catalogue_seconds`: how often the catalogue
    of instruments is read again.
    """

    key_id: str = ""
    secret_key: str = field(default="", repr=False)
    feed: str = "iex"
    data_url: str = "https://data.alpaca.markets"
    stream_url: str = "wss://stream.data.alpaca.markets"
    trading_url: str = ""
    timeout_seconds: float = 10.0
    stream_silence_seconds: float = 30.0
    stream_linger_seconds: float = 5.0
    stream_symbols: int | None = None
    shares_per_lot: int = 100
    catalogue_seconds: float = 21_600.0

    def __post_init__(self) -> None:
        if self.feed not in FEEDS:
            raise ValueError(f"feed: must be one of {', '.join(FEEDS)}, not {self.feed!r}")
        for name, schemes in _SCHEMES.items():
            _check_url(name, getattr(self, name), schemes)
        for name, most in _LONGEST.items():
            if not 0 < getattr(self, name) <= most:
                raise ValueError(f"{name}: must be above 0 and at most {most:g} seconds, not {getattr(self, name)}")
        if self.stream_symbols is not None and self.stream_symbols < 0:
            raise ValueError(f"stream_symbols: must be 0 or more, not {self.stream_symbols}")
        if not 1 <= self.shares_per_lot <= 100:
            raise ValueError(f"shares_per_lot: must be 1 to 100, not {self.shares_per_lot}")

    @property
    def assets_url(self) -> str:
        """Where the catalogue is: keys are known to one of two places only."""
        return self.trading_url or (_PAPER_URL if self.key_id.startswith(_PAPER_KEYS) else _LIVE_URL)

    @property
    def most_stream_symbols(self) -> int:
        """0: no limit is known."""
        if self.stream_symbols is not None:
            return self.stream_symbols
        return _IEX_SYMBOLS if self.feed == "iex" else 0

    @property
    def delay(self) -> timedelta:
        """How late stocks are by design."""
        return _DELAY if self.feed == "delayed_sip" else timedelta(0)


_SCHEMES = {"data_url": ("https", "http"), "stream_url": ("wss", "ws"), "trading_url": ("https", "http")}
_LONGEST = {
    "timeout_seconds": _LONGEST_SECONDS,
    "stream_silence_seconds": _LONGEST_SECONDS,
    "stream_linger_seconds": _LONGEST_SECONDS,
    "catalogue_seconds": _LONGEST_CATALOGUE_SECONDS,
}


def _check_url(name: str, url: str, schemes: tuple[str, ...]) -> None:
    if name == "trading_url" and not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in schemes or not parts.hostname:
        raise ValueError(f"{name}: must be a URL that begins with {' or '.join(f'{one}://' for one in schemes)}")
    if parts.username or parts.password or parts.query or parts.fragment or url.endswith("/"):
        raise ValueError(f"{name}: must be a URL without a user, a query and a slash at its end")


CAPABILITIES = Capabilities(
    asset_classes=(AssetClass.EQUITY, AssetClass.ETF, AssetClass.CRYPTO),
    requests=frozenset({DataKind.QUOTES, DataKind.BARS, DataKind.ORDER_BOOKS}),
    streams=frozenset(DataKind),
    bars=dict.fromkeys(
        (
            BarInterval.MINUTE_1,
            BarInterval.MINUTE_5,
            BarInterval.MINUTE_15,
            BarInterval.MINUTE_30,
            BarInterval.HOUR_1,
            BarInterval.HOUR_2,
            BarInterval.HOUR_4,
            BarInterval.DAY_1,
            BarInterval.WEEK_1,
            BarInterval.MONTH_1,
        )
    ),
    stream_bars=frozenset({BarInterval.MINUTE_1}),
    adjustments=(PriceAdjustment.RAW, PriceAdjustment.SPLITS, PriceAdjustment.ALL),
    extended_hours=True,
    max_book_depth=MOST_LEVELS,
    requests_per_minute=200,
    max_stream_symbols=_IEX_SYMBOLS,
    notes=(
        "Order books are of crypto only.",
        "Bars of stocks begin in 2016, those of crypto in 2021.",
        "The feed iex is free and live, but it is one exchange with a few percent of the volume: its quotes are not the"
        " best of the market, and little traded stocks lack bars.",
        "The feed sip has all exchanges; without a paid plan its last 15 minutes are refused.",
        "The feed delayed_sip has all exchanges 15 minutes late, bars included.",
        "The free plan streams 30 stocks at a time, and one connection for each key.",
        "Stocks are quoted in round lots: a lot counts as 100 shares unless shares_per_lot says otherwise, which is"
        " too much for shares whose round lot is smaller.",
        "Streamed bars are of the regular session, and are not corrected for trades that are reported late; bars on"
        " request are.",
        "Corrections and cancellations of trades are not passed on.",
        "The source does not tell funds from shares: the listing exchange and the name decide what is an ETF.",
    ),
)


def capabilities(settings: AlpacaSettings) -> Capabilities:
    """What can be done under these settings."""
    return replace(CAPABILITIES, delay=settings.delay or None, max_stream_symbols=settings.most_stream_symbols)


def lack(settings: AlpacaSettings) -> Lack | None:
    """What is missing before the provider can be asked."""
    if find_spec("alpaca") is None:
        return Lack("the package alpaca-py is not installed", "pip install -e '.[alpaca]'")
    if not settings.key_id or not settings.secret_key:
        return Lack("no key is set", REMEDY)
    return None
