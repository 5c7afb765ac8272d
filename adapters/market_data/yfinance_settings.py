"""What can be set of the Yahoo provider, and what it can do. Imports neither yfinance nor curl_cffi."""

from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from math import isfinite
from pathlib import Path

from application.market_data.providers import Lack
from application.ports.market_data import Capabilities, DataKind
from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.market_data.instrument import AssetClass

NAME = "yfinance"

# A day less than Yahoo's own limits: what is asked for right at the edge is refused as a whole.
MINUTES_REACH = timedelta(days=29)
QUARTERS_REACH = timedelta(days=59)
HOURS_REACH = timedelta(days=729)

CAPABILITIES = Capabilities(
    asset_classes=(
        AssetClass.EQUITY,
        AssetClass.ETF,
        AssetClass.FUND,
        AssetClass.INDEX,
        AssetClass.CURRENCY,
        AssetClass.CRYPTO,
    ),
    requests=frozenset({DataKind.BARS}),
    streams=frozenset({DataKind.BARS}),
    bars={
        BarInterval.MINUTE_1: MINUTES_REACH,
        BarInterval.MINUTE_5: QUARTERS_REACH,
        BarInterval.MINUTE_15: QUARTERS_REACH,
        BarInterval.MINUTE_30: QUARTERS_REACH,
        BarInterval.HOUR_1: HOURS_REACH,
        BarInterval.HOUR_2: HOURS_REACH,
        BarInterval.HOUR_4: HOURS_REACH,
        BarInterval.DAY_1: None,
        BarInterval.WEEK_1: None,
        BarInterval.MONTH_1: None,
    },
    adjustments=(PriceAdjustment.RAW, PriceAdjustment.SPLITS, PriceAdjustment.ALL),
    search=False,
    extended_hours=True,
    poll_seconds=15.0,
    delay=timedelta(minutes=15),
    requests_per_minute=60,
    notes=(
        "No key. Yahoo gives no promise that it answers, and none of what it answers.",
        "Bars only: Yahoo does not say of when its bid and offer are, so there are no quotes. Live bars are polled.",
        "It has no list to search: instruments are found by their symbol.",
        "Symbols: AAPL, BRK.B, SAP.DE, EUR/USD, BTC/USD; an index as INDEX:GSPC (Yahoo's ^GSPC).",
        "Bars of exchanges outside the United States come up to 30 minutes late, and are partial until then.",
        "Hours of venues with a break at noon and of extended trading are made of quarters: 59 days of them.",
        "RAW undoes the splits in Yahoo's prices; volumes before a reverse split are exact to one of the new shares.",
        "ALL is rounded to the seven digits that Yahoo's prices have.",
        "Prices in pence, agorot and cents of South Africa are given in pounds, shekels and rand.",
        "The day of a currency pair is London's, from midnight to midnight; Sunday evening is not in it.",
        "Volumes of crypto pairs are 0: Yahoo counts them in money, of all exchanges and the last 24 hours.",
    ),
)


@dataclass(frozen=True, slots=True)
class YFinanceSettings:
    """`proxy` (its URL) and `ca_file` (PEM) are for networks that need them; a request takes `request_timeout_seconds`
    at most, an answer of several requests `timeout_seconds`.

    Nothing more is asked when `requests_per_minute` were sent within a minute. When Yahoo says that there were too
    many and not for how long, it is left alone for `pause_seconds`. A bar that is over counts as running for
    `settle_seconds` more, one of a day or longer for `day_settle_seconds`: Yahoo corrects the newest ones.
    """

    proxy: str | None = None
    ca_file: str | None = None
    timeout_seconds: float = 30.0
    request_timeout_seconds: float = 10.0
    requests_per_minute: int = 60
    pause_seconds: float = 60.0
    settle_seconds: float = 10.0
    day_settle_seconds: float = 60.0

    def __post_init__(self) -> None:
        for name, least, most in _LIMITS:
            value = getattr(self, name)
            if not (isfinite(value) and least <= value <= most):
                raise ValueError(f"{name}: must be {least} to {most}, not {value}")
        if self.proxy is not None and not self.proxy.startswith(_PROXIES):
            raise ValueError(f"proxy: must begin with {' or '.join(_PROXIES)}")
        if self.ca_file is not None and not Path(self.ca_file).is_file():
            raise ValueError(f"ca_file: there is no file {self.ca_file}")


_PROXIES = ("http://", "https://", "socks4://", "socks5://", "socks5h://")
_LIMITS = (
    ("timeout_seconds", 0.1, 600),
    ("request_timeout_seconds", 0.1, 120),
    ("requests_per_minute", 1, 10_000),
    ("pause_seconds", 0, 3_600),
    ("settle_seconds", 0, 3_600),
    ("day_settle_seconds", 0, 86_400),
)


def lack(settings: YFinanceSettings) -> Lack | None:
    """What is missing; no key is needed, so nothing is read of the settings."""
    del settings
    missing = next((name for name in ("yfinance", "curl_cffi") if find_spec(name) is None), None)
    return None if missing is None else Lack(f"the package {missing} is not installed", "pip install -e '.[yfinance]'")
