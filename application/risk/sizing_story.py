"""How a size came about: its steps for a program, and a sentence or two for a person."""

from dataclasses import dataclass
from decimal import Decimal

from domain.decimals import ZERO, plain
from domain.risk.services.position_sizer import Basis, Sized, SizingStep
from domain.risk.services.pre_trade_check import RuleResult
from domain.trading.value_objects.order_type import Side


@dataclass(frozen=True, slots=True)
class Story:
    """From what the method gave over `rounded` (down to the `lot`) to the `quantity` that `limits` leave of it."""

    symbol: str
    basis: Basis
    sized: Sized
    lot: Decimal
    rounded: Decimal
    quantity: Decimal
    limits: tuple[RuleResult, ...]

    def steps(self) -> tuple[SizingStep, ...]:
        basis, unit = self.basis, self.basis.unit
        side = "offered" if basis.side is Side.BUY else "bid"
        steps = [SizingStep("price", basis.price, basis.currency, f"as asked for, or what is {side}")]
        if basis.currency != basis.base_currency:
            text = f"what one {basis.currency} is in {basis.base_currency}"
            steps.append(SizingStep("currency rate", basis.rate, basis.base_currency, text))
        steps += self.sized.steps
        steps.append(SizingStep("unrounded quantity", self.sized.quantity, unit, self.sized.because))
        steps.append(SizingStep("lot", self.lot, unit, "a quantity is a multiple of it"))
        steps.append(SizingStep("rounded quantity", self.rounded, unit, "rounded down to the lot"))
        steps += map(self._limit, self.limits)
        text = "the most that every rule lets pass" if self.limits else "no rule lowers it"
        steps.append(SizingStep("quantity", self.quantity, unit, text))
        return tuple(steps)

    def _limit(self, result: RuleResult) -> SizingStep:
        """A rule that is not about numbers refuses every size."""
        if isinstance(result.limit, Decimal):
            return SizingStep(result.rule, result.limit, result.unit, result.message)
        return SizingStep(result.rule, ZERO, self.basis.unit, result.message)

    def told(self) -> str:
        wanted = f"{self._amount(self.sized.quantity)} ({self.sized.because})"
        if not self.quantity and self.limits:
            refusals = "; ".join(f"{limit.rule} ({limit.message})" for limit in self.limits)
            return f"No order for {self.symbol} would pass now. The method gives {wanted}, refused by {refusals}."
        if not self.quantity:
            return f"Nothing: the method gives {wanted}, less than the lot of {plain(self.lot)}."
        if self.limits:
            rules = ", ".join(limit.rule for limit in self.limits)
            return f"{self._order()}. The method gives {wanted}, lowered by {rules} ({self.limits[-1].message})."
        return f"{self._order()}: {self.sized.because}, rounded down to the lot of {plain(self.lot)}."

    def _order(self) -> str:
        basis = self.basis
        verb = "Buy" if basis.side is Side.BUY else "Sell"
        worth = f"{plain(round(self.quantity * basis.unit_cost, 2))} {basis.base_currency}"
        return (
            f"{verb} {self._amount(self.quantity)} of {self.symbol} at {plain(basis.price)} {basis.currency}, "
            f"worth {worth}"
        )

    def _amount(self, quantity: Decimal) -> str:
        return f"{plain(round(quantity, 6))} {self.basis.unit}"
