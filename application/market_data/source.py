"""One instrument at the provider that is asked for it."""

from dataclasses import dataclass

from application.ports.market_data import Capabilities, DataKind, MarketData
from domain.errors import PreconditionFailed, Violation
from domain.market_data.bar import BarInterval, PriceAdjustment
from domain.market_data.instrument import Instrument


@dataclass(frozen=True, slots=True)
class Source:
    provider: MarketData
    capabilities: Capabilities
    instrument: Instrument

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    def require(self, kind: DataKind) -> None:
        """Raise PreconditionFailed, PROVIDER_NOT_CAPABLE, when the provider does not answer requests for it."""
        if kind not in self.capabilities.requests:
            self._refuse({"provider": f"has no {_words(kind)} on request"})

    def require_live(self, kind: DataKind) -> None:
        """The same for a stream of it. What is answered on request can be streamed, by asking now and then; but
        trades must be pushed, since those between two looks would be lost.
        """
        offered = self.capabilities.streams
        if kind is not DataKind.TRADES:
            offered |= self.capabilities.requests
        if kind not in offered:
            self._refuse({"provider": f"has no live {_words(kind)}"})

    def require_bars(self, interval: BarInterval, adjustment: PriceAdjustment, extended_hours: bool) -> None:
        """The same for bars of a kind; names each field that asks for too much."""
        self.require(DataKind.BARS)
        can, refused = self.capabilities, dict[str, str]()
        if interval not in can.bars:
            refused["interval"] = f"has no bars of {interval.value}; it has {', '.join(i.value for i in can.bars)}"
        if adjustment not in can.adjustments:
            refused["adjustment"] = f"gives {' or '.join(a.value for a in can.adjustments)} prices only"
        if extended_hours and not can.extended_hours:
            refused["extended_hours"] = "has bars of the regular session only: leave it unset"
        if refused:
            self._refuse(refused)

    def _refuse(self, refused: dict[str, str]) -> None:
        name = self.provider.name
        violations = [Violation("PROVIDER_NOT_CAPABLE", field, f"{name} {why}") for field, why in refused.items()]
        raise PreconditionFailed(
            "; ".join(f"{violation.subject}: {violation.description}" for violation in violations),
            violations,
            reason="PROVIDER_NOT_CAPABLE",
            provider=name,
        )


def _words(kind: DataKind) -> str:
    return kind.value.lower().replace("_", " ")
