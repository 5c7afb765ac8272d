"""instruments.csv of a folder of recordings: what differs from the usual of instruments, one a line.

Columns: symbol, and any of name, asset_class, currency, venue, tick_size, lot_size, min_quantity, max_quantity, sector,
and of sessions that are not the usual ones time_zone, opens, closes (HH:MM, Monday to Friday). Empty cells: as usual.
"""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import time
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.market_data.conventions import crypto_pair, currency_pair, us_equity, usual_instrument
from adapters.market_data.raw_rows import price_of
from adapters.market_data.replay_rows import BadCell, BadFile
from domain.market_data.instrument import AssetClass, Instrument
from domain.market_data.trading_hours import TradingHours

FILE_NAME = "instruments.csv"
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9._/:-]{0,31}")
_COLUMNS = (
    *("symbol", "asset_class", "name", "currency", "venue", "sector", "tick_size", "lot_size", "min_quantity"),
    *("max_quantity", "time_zone", "opens", "closes"),
)
_WORKDAYS = frozenset(range(5))
_PAIRS: Mapping[AssetClass, Callable[[str], Instrument]] = {
    AssetClass.CURRENCY: currency_pair,
    AssetClass.CRYPTO: crypto_pair,
}


def is_symbol(text: str) -> bool:
    return _SYMBOL.fullmatch(text) is not None


def read_instruments(path: Path) -> dict[str, Instrument]:
    """By symbol; raises BadFile, naming line and rule, and OSError."""
    found = dict[str, Instrument]()
    number = 1
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = _header(next(rows, []))
            for row in rows:
                number = rows.line_num
                if row:
                    instrument = _instrument(dict(zip(header, map(str.strip, row), strict=False)))
                    if instrument.symbol in found:
                        raise BadCell(f"symbol: {instrument.symbol} is in a line before")
                    found[instrument.symbol] = instrument
    except (BadCell, UnicodeDecodeError, csv.Error) as problem:
        raise BadFile(FILE_NAME, str(problem), f"line {number}") from None
    return found


def _header(cells: Sequence[str]) -> list[str]:
    names = [re.sub(r"[^a-z]+", "_", cell.strip().lower()) for cell in cells]
    unknown = [name for name in names if name not in _COLUMNS]
    if unknown or "symbol" not in names or len(set(names)) < len(names):
        wrong = f", not {', '.join(unknown)}" if unknown else ""
        raise BadCell(f"the header must have symbol and may have {', '.join(_COLUMNS[1:])}, each once{wrong}")
    return names


def _instrument(cells: Mapping[str, str]) -> Instrument:
    symbol = cells["symbol"].upper()
    if not is_symbol(symbol):
        raise BadCell(f"symbol: must be 1 to 32 of A-Z 0-9 . _ / : - and not {symbol!r}")
    one = _usual(symbol, cells.get("asset_class", ""))
    lot = _number(cells, "lot_size") or one.lot_size
    return replace(
        one,
        name=cells.get("name") or one.name,
        currency=(cells.get("currency") or one.currency).upper(),
        venue=cells.get("venue") or one.venue,
        sector=cells.get("sector") or one.sector,
        tick_size=_number(cells, "tick_size") or one.tick_size,
        lot_size=lot,
        min_quantity=_number(cells, "min_quantity") or lot,
        max_quantity=_number(cells, "max_quantity") or one.max_quantity,
        hours=_hours(cells) or one.hours,
    )


def _usual(symbol: str, asset_class: str) -> Instrument:
    if not asset_class:
        return usual_instrument(symbol)
    try:
        kind = AssetClass(asset_class.upper())
    except ValueError:
        known = ", ".join(kind.value for kind in AssetClass)
        raise BadCell(f"asset_class: must be one of {known}, not {asset_class!r}") from None
    if kind not in _PAIRS:
        return us_equity(symbol, asset_class=kind)
    if "/" not in symbol.strip("/"):
        raise BadCell(f"symbol: of {kind.value} must be a pair such as EUR/USD, not {symbol!r}")
    return _PAIRS[kind](symbol)


def _number(cells: Mapping[str, str], name: str) -> Decimal | None:
    text = cells.get(name)
    if not text:
        return None
    number = price_of(text)
    if number is None:
        raise BadCell(f"{name}: must be a number above zero, not {text!r}")
    return number


def _hours(cells: Mapping[str, str]) -> TradingHours | None:
    zone, opens, closes = (cells.get(name, "") for name in ("time_zone", "opens", "closes"))
    if not (zone or opens or closes):
        return None
    if not (zone and opens and closes):
        raise BadCell("time_zone, opens and closes must be set together")
    try:
        ZoneInfo(zone)
        return TradingHours(zone, time.fromisoformat(opens), time.fromisoformat(closes), _WORKDAYS)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadCell(
            f"time_zone must be a name such as Europe/Berlin, opens and closes HH:MM, not {zone} {opens} {closes}"
        ) from None
