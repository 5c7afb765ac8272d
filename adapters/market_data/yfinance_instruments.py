"""Instruments as a chart of Yahoo's describes them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeVar

from adapters.market_data.conventions import US_EQUITY_HOURS, crypto_pair, currency_pair, us_equity
from adapters.market_data.exchange_holidays import EURONEXT, LONDON, XETRA
from adapters.market_data.yfinance_meta import Meta, Period
from adapters.market_data.yfinance_symbols import ours
from domain.decimals import ONE
from domain.market_data.instrument import NO_MAXIMUM, AssetClass, Instrument, InstrumentStatus
from domain.market_data.trading_hours import TradingHours

T = TypeVar("T")

_KINDS: Mapping[str, AssetClass] = {
    "EQUITY": AssetClass.EQUITY,
    "ETF": AssetClass.ETF,
    "MUTUALFUND": AssetClass.FUND,
    "INDEX": AssetClass.INDEX,
    "CURRENCY": AssetClass.CURRENCY,
    "CRYPTOCURRENCY": AssetClass.CRYPTO,
}
_SHARES = frozenset({AssetClass.EQUITY, AssetClass.ETF, AssetClass.FUND})
_UNITED_STATES: Mapping[str, str] = {
    "NMS": "XNAS",
    "NGM": "XNAS",
    "NCM": "XNAS",
    "NYQ": "XNYS",
    "ASE": "XASE",
    "PCX": "ARCX",
    "BTS": "BATS",
}
_VENUES: Mapping[str, str] = {
    **_UNITED_STATES,
    "AMS": "XAMS",
    "ASX": "XASX",
    "BRU": "XBRU",
    "CPH": "XCSE",
    "EBS": "XSWX",
    "FRA": "XFRA",
    "GER": "XETR",
    "HEL": "XHEL",
    "HKG": "XHKG",
    "JPX": "XTKS",
    "KSC": "XKRX",
    "LIS": "XLIS",
    "LSE": "XLON",
    "MCE": "XMAD",
    "MIL": "XMIL",
    "NSI": "XNSE",
    "OSL": "XOSL",
    "PAR": "XPAR",
    "SES": "XSES",
    "SHH": "XSHG",
    "SHZ": "XSHE",
    "STO": "XSTO",
    "TAI": "XTAI",
    "TOR": "XTSE",
    "VIE": "XWBO",
}
_HOLIDAYS: Mapping[str, frozenset[date]] = {
    "AMS": EURONEXT,
    "BRU": EURONEXT,
    "FRA": XETRA,
    "GER": XETRA,
    "LIS": EURONEXT,
    "LSE": LONDON,
    "PAR": EURONEXT,
}
_HUNDREDTHS: Mapping[str, str] = {"GBp": "GBP", "GBX": "GBP", "ZAc": "ZAR", "ILA": "ILS"}
_NO_CURRENCY = "XXX"
_LONGEST_DELAY = timedelta(minutes=30)
_MIDNIGHT = time(0)
_LAST_MINUTE = time(23, 59)


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument and what has to be done to Yahoo's numbers of it.

    `in_hundredths`: prices are in hundredths of the instrument's currency. `has_splits`: prices are divided by later
    splits. `counts_volume`: the volume is a quantity. `delay`: how much Yahoo may be behind the venue. Before
    `first_trade` there is nothing; None where it does not say.
    """

    instrument: Instrument
    in_hundredths: bool
    has_splits: bool
    counts_volume: bool
    delay: timedelta
    first_trade: datetime | None

    def as_of(self, now: datetime, last_trade: datetime | None, settle: timedelta) -> datetime:
        """Up to when Yahoo's bars can be complete at `now`."""
        known = now - self.delay if last_trade is None else max(now - self.delay, last_trade)
        return min(known, now) - settle


def listing_of(meta: Meta) -> Listing | None:
    """None for what is of no kind that we have: options, futures and the like."""
    asset_class, symbol = _KINDS.get(meta.kind), ours(meta.symbol, meta.kind)
    if asset_class is None or symbol is None or not meta.periods:
        return None
    real_time = asset_class in (AssetClass.CURRENCY, AssetClass.CRYPTO) or meta.exchange in _UNITED_STATES
    return Listing(
        instrument=_instrument(meta, asset_class, symbol),
        in_hundredths=meta.currency in _HUNDREDTHS,
        has_splits=asset_class in _SHARES,
        counts_volume=asset_class is not AssetClass.CRYPTO,
        delay=timedelta(0) if real_time else _LONGEST_DELAY,
        first_trade=meta.first_trade,
    )


def _instrument(meta: Meta, asset_class: AssetClass, symbol: str) -> Instrument:
    venue = _VENUES.get(meta.exchange) or meta.exchange_name or meta.exchange
    if asset_class is AssetClass.CRYPTO:
        return crypto_pair(symbol, meta.name, venue, provider_symbol=meta.symbol)
    hours = _hours(meta, asset_class)
    if asset_class is AssetClass.CURRENCY:
        return replace(currency_pair(symbol, meta.name, venue, provider_symbol=meta.symbol), hours=hours)
    if meta.exchange in _UNITED_STATES and meta.currency == "USD" and asset_class is not AssetClass.INDEX:
        listed = us_equity(symbol, meta.name, venue, asset_class=asset_class, provider_symbol=meta.symbol)
        return replace(listed, hours=hours, tick_size=_tick(meta))
    return Instrument(
        symbol=symbol,
        name=meta.name or symbol,
        asset_class=asset_class,
        currency=_HUNDREDTHS.get(meta.currency, meta.currency) or _NO_CURRENCY,
        venue=venue,
        tick_size=_tick(meta),
        lot_size=ONE,
        min_quantity=ONE,
        max_quantity=NO_MAXIMUM,
        hours=hours,
        provider_symbol=meta.symbol,
        status=InstrumentStatus.NOT_TRADABLE if asset_class is AssetClass.INDEX else InstrumentStatus.ACTIVE,
    )


def _tick(meta: Meta) -> Decimal:
    return ONE.scaleb(-meta.decimals - (2 if meta.currency in _HUNDREDTHS else 0))


def _hours(meta: Meta, asset_class: AssetClass) -> TradingHours:
    """The usual session of the days that the chart covers: one of them may have closed early."""
    usual = _most(meta.periods, lambda period: (period.opens.time(), _closes(period)))
    if asset_class in _SHARES and meta.exchange in _UNITED_STATES and _like_new_york(meta.zone, usual):
        return US_EQUITY_HOURS if asset_class is not AssetClass.FUND else _regular_only(US_EQUITY_HOURS)
    if asset_class is AssetClass.INDEX and _like_new_york(meta.zone, usual):
        return _regular_only(US_EQUITY_HOURS)
    days = {period.opens.weekday() for period in meta.periods}
    usual_week = frozenset(range(5))
    return TradingHours(
        meta.zone,
        *usual,
        # One period is of one day, and says nothing of the others.
        weekdays=frozenset(days) if len(days) > 1 else usual_week,
        holidays=_HOLIDAYS.get(meta.exchange, frozenset()),
        pre_market_opens=_most(meta.periods, lambda period: period.pre_opens),
        post_market_closes=_most(meta.periods, lambda period: period.post_closes),
    )


def _closes(period: Period) -> time:
    """Of a session around the clock Yahoo says that it ends at 23:59."""
    opens, closes = period.opens.time(), period.closes.time().replace(second=0)
    return _MIDNIGHT if opens == _MIDNIGHT and closes == _LAST_MINUTE else closes


def _like_new_york(zone: str, usual: tuple[time, time]) -> bool:
    return zone == US_EQUITY_HOURS.time_zone and usual == (US_EQUITY_HOURS.opens, US_EQUITY_HOURS.closes)


def _regular_only(hours: TradingHours) -> TradingHours:
    return replace(hours, pre_market_opens=None, post_market_closes=None)


def _most(periods: Sequence[Period], what: Callable[[Period], T]) -> T:
    return Counter(map(what, periods)).most_common(1)[0][0]
