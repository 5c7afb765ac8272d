"""Instruments by a piece of their symbol or name, best match first."""

from collections.abc import Sequence
from dataclasses import dataclass

from application.market_data.market import Market
from application.market_data.queries.get_instrument_query import InstrumentView, view
from domain.errors import InvalidArgument
from domain.market_data.instrument import AssetClass, Instrument

_SAME, _SYMBOL_BEGINS, _NAME_BEGINS, _CONTAINED = "0123"


@dataclass(frozen=True, slots=True)
class SearchInstruments:
    """Up to `limit` matches behind `after`, which is the `place` of an earlier one. Letter case does not matter.

    Raises InvalidArgument for a query of nothing but spaces; and as Market.instruments does.
    """

    text: str
    limit: int
    after: str = ""
    asset_class: AssetClass | None = None
    provider: str = ""

    async def answer(self, market: Market) -> Sequence[InstrumentView]:
        wanted = _folded(self.text)
        if not wanted:
            raise InvalidArgument("query", "must have a character that is not a space")
        places = [
            (place, name, one)
            for name, one in await market.instruments(self.provider)
            if self.asset_class in (None, one.asset_class) and (place := _place(wanted, one)) > self.after
        ]
        places.sort(key=lambda found: found[0])
        now = market.clock.now()
        return [view(name, one, now) for _, name, one in places[: self.limit]]

    def place(self, instrument: Instrument) -> str:
        """Where a match stands in the list: its rank, then its symbol."""
        return _place(_folded(self.text), instrument)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def _place(wanted: str, one: Instrument) -> str:
    symbol, name = one.symbol.casefold(), _folded(one.name)
    ranks = (
        (_SAME, symbol == wanted),
        (_SYMBOL_BEGINS, symbol.startswith(wanted)),
        (_NAME_BEGINS, name.startswith(wanted)),
        (_CONTAINED, wanted in symbol or wanted in name),
    )
    return next((f"{rank}{one.symbol}" for rank, matches in ranks if matches), "")
