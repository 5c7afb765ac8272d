"""A holding of one symbol, at average cost."""

from dataclasses import dataclass
from decimal import Decimal

from domain.decimals import ZERO, settle


@dataclass(frozen=True, slots=True)
class Position:
    """`quantity` is negative when short. `average_price` is what the open quantity cost per unit, fees apart.

    `realized_pnl` sums what closing trades have made, and `fees` what was paid, both in `currency`.
    """

    account_id: str
    symbol: str
    currency: str
    quantity: Decimal = ZERO
    average_price: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    sequence: int = 0

    def traded(self, quantity: Decimal, price: Decimal, fee: Decimal, sequence: int) -> "Position":
        """This position after `quantity` (signed: bought is positive) traded at `price`.

        Average cost: a trade that adds moves the average; one that reduces realises
        (price - average) x closed quantity; one that crosses zero closes all and opens the rest at `price`.
        """
        after = self.quantity + quantity
        closed = self._closed_by(quantity)
        realized = self.realized_pnl + (price - self.average_price) * closed
        if not after:
            average = ZERO
        elif not closed:
            average = settle((self.quantity * self.average_price + quantity * price) / after)
        elif (after > 0) == (self.quantity > 0):
            average = self.average_price
        else:
            average = price
        return Position(
            self.account_id,
            self.symbol,
            self.currency,
            after,
            average,
            settle(realized),
            self.fees + fee,
            sequence,
        )

    def _closed_by(self, quantity: Decimal) -> Decimal:
        """The part of the present quantity, with its sign, that a trade of `quantity` closes."""
        if not self.quantity or (quantity > 0) == (self.quantity > 0):
            return ZERO
        return self.quantity if abs(quantity) >= abs(self.quantity) else -quantity

    def unrealized_pnl(self, mark: Decimal) -> Decimal:
        return (mark - self.average_price) * self.quantity
