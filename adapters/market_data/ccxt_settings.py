"""What can be set of the ccxt provider, and what it can do."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from application.market_data.providers import Lack
from application.ports.market_data import Capabilities, DataKind
from domain.market_data.bar import BarInterval
from domain.market_data.instrument import AssetClass

NAME = "ccxt"
MOST_LEVELS = 1_000

CAPABILITIES = Capabilities(
    asset_classes=(AssetClass.CRYPTO,),
    requests=frozenset({DataKind.QUOTES, DataKind.BARS, DataKind.ORDER_BOOKS}),
    streams=frozenset(DataKind),
    bars=dict.fromkeys(BarInterval),
    stream_bars=frozenset(
        {
            BarInterval.MINUTE_1,
            BarInterval.MINUTE_5,
            BarInterval.MINUTE_15,
            BarInterval.MINUTE_30,
            BarInterval.HOUR_1,
            BarInterval.HOUR_4,
            BarInterval.DAY_1,
        }
    ),
    max_book_depth=MOST_LEVELS,
    notes=(
        "This is what most exchanges have, Binance all of it; what the chosen one lacks is refused when asked for.",
        "Spot markets only.",
        "Quotes that the exchange does not stamp, as those of Binance, carry the time at which they were received.",
        "Bars of one second are where the exchange has them; other intervals that it lacks are made of shorter ones.",
        "Some exchanges keep few bars: Kraken the newest 720 of each interval.",
        "Numbers are exact to 15 digits.",
    ),
)


@dataclass(frozen=True, slots=True)
class CcxtSettings:
    """`exchange` is the id that ccxt gives it; `sandbox` chooses its test network.

    Market data needs no key: `api_key`, `secret` and `password` are for exchanges that give more to who has one.
    `mirrors` puts other addresses in the place of the exchange's own, by their beginnings, for example
    `{"https://api.binance.com": "https://data-api.binance.vision"}`. `timeout_seconds` bounds each request,
    `stream_silence_seconds` how long a socket may give no sign of life. The list of markets is read again after
    `catalogue_seconds`; a subscription without readers is given up after `linger_seconds`.
    """

    exchange: str = "binance"
    sandbox: bool = False
    api_key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    mirrors: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 10.0
    stream_silence_seconds: float = 30.0
    catalogue_seconds: float = 3600.0
    linger_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9]*", self.exchange):
            raise ValueError(f"exchange: must be the id of an exchange in ccxt such as binance, not {self.exchange!r}")
        for name, least, most in _RANGES:
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name}: must be {least} to {most}, not {value}")
        for address in (*self.mirrors, *self.mirrors.values()):
            if not re.match(r"(https?|wss?)://.", address):
                raise ValueError(f"mirrors: must be addresses of http, https, ws or wss, not {address!r}")


_RANGES = (
    ("timeout_seconds", 0.1, 300.0),
    ("stream_silence_seconds", 0.1, 3600.0),
    ("catalogue_seconds", 1.0, 86400.0),
    ("linger_seconds", 0.0, 3600.0),
)


def lack(settings: CcxtSettings) -> Lack | None:
    """Why it cannot serve; looks at files only, importing nothing."""
    spec = find_spec("ccxt")
    if spec is None:
        return Lack("the package ccxt is not installed", "pip install -e '.[ccxt]'")
    for folder in spec.submodule_search_locations or ():
        if (Path(folder) / "async_support" / f"{settings.exchange}.py").is_file():
            return None
    return Lack(f"ccxt knows no exchange {settings.exchange!r}", "QUANTMESH_CCXT_EXCHANGE=binance")
