"""One instrument's names: ours, that of Polygon's REST interface, and that of its streams.

| ours      | REST     | streams |
| --------- | -------- | ------- |
| AAPL      | AAPL     | AAPL    |
| ABR.PRD   | ABRpD    | ABRpD   |
| EUR/USD   | C:EURUSD | EUR-USD |
| BTC/USD   | X:BTCUSD | BTC-USD |
| I:SPX     | I:SPX    | I:SPX   |
"""

import re
from dataclasses import dataclass
from enum import Enum


class Cluster(Enum):
    """Polygon's markets; each has its own stream. The values are the SDK's."""

    STOCKS = "stocks"
    FOREX = "forex"
    CRYPTO = "crypto"
    INDICES = "indices"


@dataclass(frozen=True, slots=True)
class PolygonName:
    """`ticker` is what the REST interface calls the instrument, `code` what the streams do."""

    cluster: Cluster
    ticker: str
    code: str


def polygon_name(symbol: str) -> PolygonName | None:
    """None where Polygon can have no such instrument."""
    if pair := _PAIR.fullmatch(symbol):
        base, quote = pair.groups()
        cluster = Cluster.FOREX if base in _CURRENCIES and quote in _CURRENCIES else Cluster.CRYPTO
        return PolygonName(cluster, f"{_PREFIXES[cluster]}{base}{quote}", f"{base}-{quote}")
    if _INDEX.fullmatch(symbol):
        return PolygonName(Cluster.INDICES, symbol, symbol)
    if preferred := _PREFERRED.fullmatch(symbol):
        symbol = "p".join(preferred.groups())
    elif not _STOCK.fullmatch(symbol):
        return None
    return PolygonName(Cluster.STOCKS, symbol, symbol)


def pair_symbol(base: str, quote: str) -> str | None:
    """Our symbol of a pair; None where it has none."""
    symbol = f"{base}/{quote}".upper()
    return symbol if _PAIR.fullmatch(symbol) else None


def single_symbol(ticker: str) -> str | None:
    """Our symbol of a stock or an index; None where it has none: some classes of shares are written in lower case."""
    if preferred := _POLYGON_PREFERRED.fullmatch(ticker):
        return ".PR".join(preferred.groups())
    return ticker if _STOCK.fullmatch(ticker) or _INDEX.fullmatch(ticker) else None


def stream_symbol(cluster: Cluster, code: str) -> str | None:
    """Our symbol of what an event calls `code`; pairs come with a dash or a slash."""
    if cluster in (Cluster.FOREX, Cluster.CRYPTO):
        base, _, quote = code.replace("/", "-").partition("-")
        return pair_symbol(base, quote)
    return single_symbol(code)


_PREFIXES = {Cluster.FOREX: "C:", Cluster.CRYPTO: "X:"}
_PAIR = re.compile(r"([A-Z0-9]{2,15})/([A-Z0-9]{2,10})")
_INDEX = re.compile(r"I:[A-Z0-9]{1,24}")
_STOCK = re.compile(r"[A-Z][A-Z0-9]{0,11}(?:\.[A-Z0-9]{1,6}){0,2}")
_PREFERRED = re.compile(r"([A-Z]{1,8})\.PR([A-Z]?)")
_POLYGON_PREFERRED = re.compile(r"([A-Z]{1,8})p([A-Z]?)")

# ISO 4217, with the offshore yuan: a pair of two of these is foreign exchange, any other one is crypto.
_CURRENCIES = frozenset(
    re.findall(
        "[A-Z]{3}",
        """
        AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
        CLF CLP CNH CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
        HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD
        MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG
        QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD
        TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XAG XAU XCD XOF XPD XPF XPT YER ZAR ZMW ZWL
        """,
    )
)
