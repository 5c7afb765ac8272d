"""What every use case of market data reads: one provider, its newest quotes, and the time."""

from collections.abc import Iterable
from dataclasses import dataclass

from application.ports.clock import Clock
from application.ports.market_data import LatestQuotes, MarketData
from domain.errors import NotFound, PreconditionFailed, Violation
from domain.market_data.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Market:
    """`data` and `quotes` are two views of the same provider."""

    data: MarketData
    quotes: LatestQuotes
    clock: Clock

    def require_provider(self, name: str) -> None:
        """Raise NotFound for a provider that is not this one; an empty `name` leaves the choice."""
        if name not in ("", self.data.name):
            raise NotFound(
                f"provider: no provider {name!r} here; there is {self.data.name!r}",
                reason="PROVIDER_NOT_FOUND",
                provider=name,
            )

    def instrument(self, symbol: str) -> Instrument:
        """The instrument; raises NotFound with the reason INSTRUMENT_NOT_FOUND."""
        instrument = self.quotes.instrument(symbol)
        if instrument is None:
            raise NotFound(
                f"symbol: no instrument {symbol!r} at {self.data.name}",
                reason="INSTRUMENT_NOT_FOUND",
                symbol=symbol,
            )
        return instrument

    def require_instruments(self, symbols: Iterable[str]) -> None:
        for symbol in symbols:
            self.instrument(symbol)

    def require_bars_as_traded(self, *, adjusted: bool, extended_hours: bool) -> None:
        """Raise PreconditionFailed for bars that the MarketData port cannot ask a provider for."""
        asked = {
            "adjustment": (adjusted, "gives prices as traded only: leave it unset or PRICE_ADJUSTMENT_RAW"),
            "extended_hours": (extended_hours, "has bars of the regular session only: leave it unset"),
        }
        violations = [
            Violation("PROVIDER_NOT_CAPABLE", field, f"{self.data.name} {why}")
            for field, (is_asked, why) in asked.items()
            if is_asked
        ]
        if violations:
            raise PreconditionFailed(
                "; ".join(f"{violation.subject}: {violation.description}" for violation in violations),
                violations,
                reason="PROVIDER_NOT_CAPABLE",
                provider=self.data.name,
            )


def no_market_data(kind: str, symbol: str) -> NotFound:
    """For a known instrument of which there has never been a quote or a book."""
    return NotFound(f"symbol: there is no {kind} of {symbol!r}", reason="MARKET_DATA_NOT_FOUND", symbol=symbol)
