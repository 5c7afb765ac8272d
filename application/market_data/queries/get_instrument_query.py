"""One instrument, and whether its market is open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from application.market_data.market import Market
from application.market_data.market_hours import MarketState, market_state
from domain.market_data.instrument import Instrument


@dataclass(frozen=True, slots=True)
class InstrumentView:
    """An instrument at one moment; `holidays` are those of this calendar year and the next, oldest first."""

    instrument: Instrument
    state: MarketState
    holidays: Sequence[date]


@dataclass(frozen=True, slots=True)
class GetInstrument:
    """Raises NotFound: INSTRUMENT_NOT_FOUND, PROVIDER_NOT_FOUND."""

    symbol: str
    provider: str = ""

    def answer(self, market: Market) -> InstrumentView:
        market.require_provider(self.provider)
        return view(market.instrument(self.symbol), market.clock.now())


def view(instrument: Instrument, now: datetime) -> InstrumentView:
    years = (now.year, now.year + 1)
    holidays = sorted(day for day in instrument.hours.holidays if day.year in years)
    return InstrumentView(instrument, market_state(instrument.hours, now), holidays)
