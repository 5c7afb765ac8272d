"""One instrument, and whether its market is open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from application.market_data.market import Market
from application.market_data.market_hours import MarketState, market_state
from domain.market_data.instrument import Instrument


@dataclass(frozen=True, slots=True)
class InstrumentView:
    """An instrument at one moment; `holidays` are those of this calendar year and the next, oldest first."""

    provider: str
    instrument: Instrument
    state: MarketState
    holidays: Sequence[date]
    early_closes: Sequence[tuple[date, time]] = ()


@dataclass(frozen=True, slots=True)
class GetInstrument:
    """Raises as Market.source does."""

    symbol: str
    provider: str = ""

    async def answer(self, market: Market) -> InstrumentView:
        source = await market.source(self.symbol, self.provider)
        return view(source.provider.name, source.instrument, market.clock.now())


def view(provider: str, instrument: Instrument, now: datetime) -> InstrumentView:
    years = (now.year, now.year + 1)
    holidays = sorted(day for day in instrument.hours.holidays if day.year in years)
    early = sorted(pair for pair in instrument.hours.early_closes if pair[0].year in years)
    return InstrumentView(provider, instrument, market_state(instrument.hours, now), holidays, early)
