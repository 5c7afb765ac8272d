"""What the simulated market lists, as a table: real names and venues around made-up prices.

Every currency of the catalogue reaches USD and EUR by one pair, or by two over USD.
"""

from dataclasses import dataclass, replace
from datetime import time
from decimal import Decimal
from typing import NamedTuple

from adapters.market_data import exchange_holidays as holidays
from domain.market_data.instrument import AssetClass, Instrument
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument and how it moves and trades.

    `volatility` is a year's, `spread` a share of the price; sizes are in lots. A cross rate has `legs`: the
    pairs that it must agree with, each with 1 (times) or -1 (divided by).
    """

    instrument: Instrument
    reference_price: float
    volatility: float
    prints_per_minute: float
    print_lots: float
    quote_lots: int
    spread: float
    legs: tuple[tuple[int, str], ...] = ()


class _Market(NamedTuple):
    asset_class: AssetClass
    currency: str
    venue: str
    hours: TradingHours
    tick: str = "0.01"
    lot: str = "1"
    max_quantity: str = "1000000"
    quoted_lots: int = 1


class _Liquidity(NamedTuple):
    """Values are in the instrument's currency; for currency pairs, in units of the base currency."""

    prints_per_minute: float
    print_value: float
    quote_value: float
    spread_bps: float


class _Security(NamedTuple):
    symbol: str
    name: str
    market: _Market
    sector: str
    price: float
    volatility: float
    liquidity: _Liquidity


class _Coin(NamedTuple):
    symbol: str
    name: str
    price: float
    volatility: float
    tick: str
    lot: str
    max_quantity: str
    liquidity: _Liquidity


_WORKDAYS = frozenset(range(5))
_NEW_YORK = TradingHours("America/New_York", time(9, 30), time(16), _WORKDAYS, holidays.UNITED_STATES)
_FRANKFURT = TradingHours("Europe/Berlin", time(9), time(17, 30), _WORKDAYS, holidays.XETRA)
_PARIS = TradingHours("Europe/Paris", time(9), time(17, 30), _WORKDAYS, holidays.EURONEXT)
_AMSTERDAM = replace(_PARIS, time_zone="Europe/Amsterdam")
_LONDON = TradingHours("Europe/London", time(8), time(16, 30), _WORKDAYS, holidays.LONDON)
# The currency week: from Sunday to Friday, 17:00 in New York; a day ends and the next begins at that hour.
_DEALERS = TradingHours("America/New_York", time(17), time(17), frozenset({6, 0, 1, 2, 3}))

_XNAS = _Market(AssetClass.EQUITY, "USD", "XNAS", _NEW_YORK, quoted_lots=100)
_XNYS = _XNAS._replace(venue="XNYS")
_XNAS_ETF = _XNAS._replace(asset_class=AssetClass.ETF)
_ARCX = _XNAS_ETF._replace(venue="ARCX")
_XETR = _Market(AssetClass.EQUITY, "EUR", "XETR", _FRANKFURT)
_XPAR = _XETR._replace(venue="XPAR", hours=_PARIS)
_XAMS = _XETR._replace(venue="XAMS", hours=_AMSTERDAM)
_XLON = _XETR._replace(currency="GBP", venue="XLON", hours=_LONDON)
_XLON_FINE = _XLON._replace(tick="0.0005")
_FX = _Market(AssetClass.CURRENCY, "", "SIMFX", _DEALERS, lot="1000", max_quantity="100000000")
_COIN = _Market(AssetClass.CRYPTO, "", "SIMCOIN", ALWAYS_OPEN)

_MEGA = _Liquidity(48, 15_000, 25_000, 0.6)
_LARGE = _Liquidity(30, 8_000, 18_000, 1.5)
_MIDDLE = _Liquidity(12, 5_000, 10_000, 4)
_MAJOR_PAIR = _Liquidity(48, 250_000, 1_000_000, 0.6)
_MINOR_PAIR = _Liquidity(20, 100_000, 500_000, 1.5)
_MAJOR_COIN = _Liquidity(48, 5_000, 30_000, 0.4)
_MINOR_COIN = _Liquidity(24, 1_500, 10_000, 2)

_SECURITIES = (
    _Security("AAPL", "Apple Inc.", _XNAS, "Technology", 187.0, 0.26, _MEGA),
    _Security("MSFT", "Microsoft Corporation", _XNAS, "Technology", 415.0, 0.24, _MEGA),
    _Security("NVDA", "NVIDIA Corporation", _XNAS, "Technology", 122.0, 0.48, _MEGA),
    _Security("AVGO", "Broadcom Inc.", _XNAS, "Technology", 168.0, 0.4, _LARGE),
    _Security("AMD", "Advanced Micro Devices, Inc.", _XNAS, "Technology", 156.0, 0.5, _MEGA),
    _Security("INTC", "Intel Corporation", _XNAS, "Technology", 31.0, 0.42, _LARGE),
    _Security("CSCO", "Cisco Systems, Inc.", _XNAS, "Technology", 49.0, 0.2, _LARGE),
    _Security("ADBE", "Adobe Inc.", _XNAS, "Technology", 530.0, 0.33, _LARGE),
    _Security("CRM", "Salesforce, Inc.", _XNYS, "Technology", 262.0, 0.32, _LARGE),
    _Security("ORCL", "Oracle Corporation", _XNYS, "Technology", 140.0, 0.3, _LARGE),
    _Security("IBM", "International Business Machines Corporation", _XNYS, "Technology", 188.0, 0.21, _LARGE),
    _Security("TSLA", "Tesla, Inc.", _XNAS, "Consumer Discretionary", 245.0, 0.55, _MEGA),
    _Security("AMZN", "Amazon.com, Inc.", _XNAS, "Consumer Discretionary", 186.0, 0.3, _MEGA),
    _Security("HD", "The Home Depot, Inc.", _XNYS, "Consumer Discretionary", 352.0, 0.22, _LARGE),
    _Security("MCD", "McDonald's Corporation", _XNYS, "Consumer Discretionary", 268.0, 0.18, _LARGE),
    _Security("NKE", "NIKE, Inc.", _XNYS, "Consumer Discretionary", 94.0, 0.3, _LARGE),
    _Security("GOOGL", "Alphabet Inc. Class A", _XNAS, "Communication Services", 166.0, 0.28, _MEGA),
    _Security("META", "Meta Platforms, Inc.", _XNAS, "Communication Services", 505.0, 0.34, _MEGA),
    _Security("NFLX", "Netflix, Inc.", _XNAS, "Communication Services", 640.0, 0.36, _LARGE),
    _Security("DIS", "The Walt Disney Company", _XNYS, "Communication Services", 103.0, 0.26, _LARGE),
    _Security("JPM", "JPMorgan Chase & Co.", _XNYS, "Financials", 198.0, 0.22, _MEGA),
    _Security("BAC", "Bank of America Corporation", _XNYS, "Financials", 38.0, 0.25, _LARGE),
    _Security("GS", "The Goldman Sachs Group, Inc.", _XNYS, "Financials", 455.0, 0.26, _LARGE),
    _Security("V", "Visa Inc. Class A", _XNYS, "Financials", 275.0, 0.18, _LARGE),
    _Security("MA", "Mastercard Incorporated Class A", _XNYS, "Financials", 455.0, 0.19, _LARGE),
    _Security("JNJ", "Johnson & Johnson", _XNYS, "Health Care", 152.0, 0.16, _LARGE),
    _Security("UNH", "UnitedHealth Group Incorporated", _XNYS, "Health Care", 505.0, 0.25, _LARGE),
    _Security("LLY", "Eli Lilly and Company", _XNYS, "Health Care", 790.0, 0.31, _LARGE),
    _Security("PFE", "Pfizer Inc.", _XNYS, "Health Care", 28.0, 0.23, _LARGE),
    _Security("PG", "The Procter & Gamble Company", _XNYS, "Consumer Staples", 163.0, 0.16, _LARGE),
    _Security("KO", "The Coca-Cola Company", _XNYS, "Consumer Staples", 62.0, 0.15, _LARGE),
    _Security("WMT", "Walmart Inc.", _XNYS, "Consumer Staples", 66.0, 0.18, _LARGE),
    _Security("COST", "Costco Wholesale Corporation", _XNAS, "Consumer Staples", 810.0, 0.2, _MIDDLE),
    _Security("XOM", "Exxon Mobil Corporation", _XNYS, "Energy", 114.0, 0.24, _LARGE),
    _Security("CVX", "Chevron Corporation", _XNYS, "Energy", 155.0, 0.23, _LARGE),
    _Security("BA", "The Boeing Company", _XNYS, "Industrials", 182.0, 0.36, _LARGE),
    _Security("CAT", "Caterpillar Inc.", _XNYS, "Industrials", 335.0, 0.27, _MIDDLE),
    _Security("NEE", "NextEra Energy, Inc.", _XNYS, "Utilities", 72.0, 0.25, _MIDDLE),
    _Security("SPY", "SPDR S&P 500 ETF Trust", _ARCX, "", 545.0, 0.15, _MEGA),
    _Security("QQQ", "Invesco QQQ Trust", _XNAS_ETF, "", 475.0, 0.2, _MEGA),
    _Security("IWM", "iShares Russell 2000 ETF", _ARCX, "", 208.0, 0.21, _MEGA),
    _Security("DIA", "SPDR Dow Jones Industrial Average ETF Trust", _ARCX, "", 392.0, 0.15, _LARGE),
    _Security("GLD", "SPDR Gold Shares", _ARCX, "", 218.0, 0.15, _LARGE),
    _Security("TLT", "iShares 20+ Year Treasury Bond ETF", _XNAS_ETF, "", 93.0, 0.15, _LARGE),
    _Security("SAP", "SAP SE", _XETR, "Technology", 182.0, 0.24, _LARGE),
    _Security("SIE", "Siemens AG", _XETR, "Industrials", 172.0, 0.26, _LARGE),
    _Security("ALV", "Allianz SE", _XETR, "Financials", 262.0, 0.2, _MIDDLE),
    _Security("MC", "LVMH Moet Hennessy Louis Vuitton SE", _XPAR, "Consumer Discretionary", 705.0, 0.28, _LARGE),
    _Security("TTE", "TotalEnergies SE", _XPAR, "Energy", 63.0, 0.24, _LARGE),
    _Security("AIR", "Airbus SE", _XPAR, "Industrials", 142.0, 0.27, _MIDDLE),
    _Security("ASML", "ASML Holding N.V.", _XAMS, "Technology", 880.0, 0.36, _LARGE),
    _Security("AZN", "AstraZeneca PLC", _XLON, "Health Care", 122.0, 0.21, _LARGE),
    _Security("SHEL", "Shell plc", _XLON, "Energy", 28.0, 0.23, _LARGE),
    _Security("HSBA", "HSBC Holdings plc", _XLON_FINE, "Financials", 6.8, 0.22, _LARGE),
    _Security(
        "VOD",
        "Vodafone Group Public Limited Company",
        _XLON_FINE,
        "Communication Services",
        0.72,
        0.26,
        _MIDDLE,
    ),
)

_CURRENCIES = {
    "AUD": "Australian Dollar",
    "CAD": "Canadian Dollar",
    "CHF": "Swiss Franc",
    "EUR": "Euro",
    "GBP": "Pound Sterling",
    "JPY": "Japanese Yen",
    "NOK": "Norwegian Krone",
    "NZD": "New Zealand Dollar",
    "SEK": "Swedish Krona",
    "USD": "US Dollar",
}
_PAIR_VOLATILITY = 0.1
_CROSS_VOLATILITY = 0.14  # that of two pairs which move on their own

_PAIRS = (
    ("EUR/USD", 1.085, "0.00001", _MAJOR_PAIR),
    ("GBP/USD", 1.27, "0.00001", _MAJOR_PAIR),
    ("AUD/USD", 0.66, "0.00001", _MINOR_PAIR),
    ("NZD/USD", 0.61, "0.00001", _MINOR_PAIR),
    ("USD/JPY", 150.0, "0.001", _MAJOR_PAIR),
    ("USD/CHF", 0.89, "0.00001", _MAJOR_PAIR),
    ("USD/CAD", 1.36, "0.00001", _MAJOR_PAIR),
    ("USD/SEK", 10.5, "0.0001", _MINOR_PAIR),
    ("USD/NOK", 10.7, "0.0001", _MINOR_PAIR),
)

_CROSSES = (
    ("EUR/GBP", (1, "EUR/USD"), (-1, "GBP/USD"), "0.00001"),
    ("EUR/CHF", (1, "EUR/USD"), (1, "USD/CHF"), "0.00001"),
    ("EUR/JPY", (1, "EUR/USD"), (1, "USD/JPY"), "0.001"),
    ("GBP/JPY", (1, "GBP/USD"), (1, "USD/JPY"), "0.001"),
)

_COINS = (
    _Coin("BTC/USD", "Bitcoin", 65_000.0, 0.5, "0.01", "0.00001", "1000", _MAJOR_COIN),
    _Coin("ETH/USD", "Ether", 3_300.0, 0.58, "0.01", "0.0001", "10000", _MAJOR_COIN),
    _Coin("SOL/USD", "Solana", 150.0, 0.6, "0.01", "0.001", "200000", _MINOR_COIN),
    _Coin("LTC/USD", "Litecoin", 78.0, 0.6, "0.01", "0.001", "200000", _MINOR_COIN),
    _Coin("XRP/USD", "XRP", 0.55, 0.6, "0.0001", "1", "10000000", _MINOR_COIN),
    _Coin("ADA/USD", "Cardano", 0.42, 0.6, "0.0001", "1", "10000000", _MINOR_COIN),
    _Coin("DOGE/USD", "Dogecoin", 0.13, 0.6, "0.00001", "1", "50000000", _MINOR_COIN),
)


def _instrument(symbol: str, name: str, market: _Market, sector: str | None = None) -> Instrument:
    base, _, currency = symbol.partition("/")
    lot = Decimal(market.lot)
    return Instrument(
        symbol=symbol,
        name=name,
        asset_class=market.asset_class,
        currency=currency or market.currency,
        venue=market.venue,
        tick_size=Decimal(market.tick),
        lot_size=lot,
        min_quantity=lot,
        max_quantity=Decimal(market.max_quantity),
        hours=market.hours,
        base_currency=base if currency else None,
        sector=sector,
    )


def _listing(
    instrument: Instrument, price: float, volatility: float, liquidity: _Liquidity, quoted_lots: int = 1
) -> Listing:
    lot_value = float(instrument.lot_size) * (1 if instrument.asset_class is AssetClass.CURRENCY else price)
    return Listing(
        instrument=instrument,
        reference_price=price,
        volatility=volatility,
        prints_per_minute=liquidity.prints_per_minute,
        print_lots=max(1.0, liquidity.print_value / lot_value),
        quote_lots=max(1, round(liquidity.quote_value / lot_value / quoted_lots)) * quoted_lots,
        spread=liquidity.spread_bps / 10_000,
    )


def _security(row: _Security) -> Listing:
    instrument = _instrument(row.symbol, row.name, row.market, row.sector or None)
    return _listing(instrument, row.price, row.volatility, row.liquidity, row.market.quoted_lots)


def _coin(row: _Coin) -> Listing:
    market = _COIN._replace(tick=row.tick, lot=row.lot, max_quantity=row.max_quantity)
    instrument = _instrument(row.symbol, f"{row.name} / US Dollar", market)
    return _listing(instrument, row.price, row.volatility, row.liquidity)


def _pair(symbol: str, price: float, tick: str, liquidity: _Liquidity) -> Listing:
    name = " / ".join(_CURRENCIES[currency] for currency in symbol.split("/"))
    return _listing(_instrument(symbol, name, _FX._replace(tick=tick)), price, _PAIR_VOLATILITY, liquidity)


def _cross(symbol: str, first: tuple[int, str], second: tuple[int, str], tick: str) -> Listing:
    prices = {symbol: price for symbol, price, *_ in _PAIRS}
    (_, multiplicand), (sign, other) = first, second
    price = prices[multiplicand] * prices[other] if sign > 0 else prices[multiplicand] / prices[other]
    pair = _pair(symbol, price, tick, _MINOR_PAIR)
    return replace(pair, volatility=_CROSS_VOLATILITY, legs=(first, second))


LISTINGS: dict[str, Listing] = {
    listing.instrument.symbol: listing
    for listing in (
        *map(_security, _SECURITIES),
        *(_pair(*row) for row in _PAIRS),
        *(_cross(*row) for row in _CROSSES),
        *map(_coin, _COINS),
    )
}
