"""Our symbols and Yahoo's. Each instrument has one of ours, whichever provider serves it.

ours         Yahoo's      what it is
AAPL         AAPL         a share, ETF or fund of the United States
BRK.B        BRK-B        a class of shares: one letter that is no exchange's
SAP.DE       SAP.DE       a share elsewhere: Yahoo's code of the exchange behind the point
EUR/USD      EURUSD=X     state currencies, by their ISO 4217 codes
BTC/USD      BTC-USD      any other pair is of crypto
INDEX:GSPC   ^GSPC        an index: our symbols have no "^"
"""

import re

INDEX = "INDEX:"

# Exchanges that Yahoo codes by a single letter: Frankfurt, London, Tokyo and Toronto's venture exchange.
_EXCHANGES_OF_ONE_LETTER = "FLTV"
_CLASS_OF_SHARES = re.compile(rf"([A-Z]+)\.([A-Z])(?<![{_EXCHANGES_OF_ONE_LETTER}])")
_YAHOOS_CLASS = re.compile(rf"([A-Z]+)-([A-Z])(?<![{_EXCHANGES_OF_ONE_LETTER}])")
_PAIR = re.compile(r"([A-Z0-9]+)/([A-Z0-9]+)")
_YAHOOS_CURRENCIES = re.compile(r"([A-Z]{3})?([A-Z]{3})=X")
_YAHOOS_COINS = re.compile(r"([A-Z0-9]+)-([A-Z0-9]+)")
_PLAIN = re.compile(r"[A-Z0-9][A-Z0-9.-]*")
_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")

_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
CHF CLF CLP CNH CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ
GYD HKD HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR
LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK
PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SYP SZL THB TJS TMT TND
TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XAG XAU XCD XOF XPD XPF XPT YER ZAR ZMW
"""
_CURRENCIES = frozenset(_CODES.split())


def yahoos(symbol: str) -> str | None:
    """What Yahoo calls it; None for a symbol that cannot be one of Yahoo's."""
    if symbol.startswith(INDEX):
        name = symbol.removeprefix(INDEX)
        return f"^{name}" if _PLAIN.fullmatch(name) else None
    pair = _PAIR.fullmatch(symbol)
    if pair is not None:
        base, quote = pair.groups()
        return f"{base}{quote}=X" if _CURRENCIES.issuperset((base, quote)) else f"{base}-{quote}"
    # yfinance takes an ISIN for a question, and asks a search which symbol might be meant.
    if not _PLAIN.fullmatch(symbol) or _ISIN.fullmatch(symbol):
        return None
    share = _CLASS_OF_SHARES.fullmatch(symbol)
    return f"{share[1]}-{share[2]}" if share is not None else symbol


def ours(yahoo: str, kind: str) -> str | None:
    """The one symbol of what Yahoo calls `yahoo` and says to be of `kind`; None where there is none."""
    if kind == "INDEX" and yahoo.startswith("^"):
        return f"{INDEX}{yahoo[1:]}"
    if kind == "CURRENCY":
        pair = _YAHOOS_CURRENCIES.fullmatch(yahoo)
        return None if pair is None else f"{pair[1] or 'USD'}/{pair[2]}"
    if kind == "CRYPTOCURRENCY":
        coins = _YAHOOS_COINS.fullmatch(yahoo)
        return None if coins is None else f"{coins[1]}/{coins[2]}"
    share = _YAHOOS_CLASS.fullmatch(yahoo)
    return f"{share[1]}.{share[2]}" if share is not None else yahoo
