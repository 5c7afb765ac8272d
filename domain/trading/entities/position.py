"""A holding of one symbol, at average cost."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.decimals import ZERO, settle


@dataclass(frozen=True, slots=True)
class Position:
    """`quantity` is negative when short. `average_price` is what the open quantity cost per unit, fees apart.

    `realized_pnl` sums what closing trades have made, and `fees` what was paid, both in `currency`.
    `opened_time` is that of the trade that opened it or turned it round, None when it is flat.
    """

    account_id: str
    symbol: str
    currency: str
    quantity: Decimal = ZERO
    average_price: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    sequence: int = 0
    opened_time: datetime | None = None
    updated_time: datetime | None = None

    def traded(self, quantity: Decimal, price: Decimal, fee: Decimal, sequence: int, at: datetime) -> "Position":
        """This position after `quantity` (signed: bought is positive) traded at `price`.

        Average cost: a trade that adds moves the average; one that reduces realises
        (price - average) x closed quantity; one that crosses zero closes all and opens the rest at `price`.
        """
        after = self.quantity + quantity
        opened: datetime | None = self.opened_time
        if not after:
            average, opened = ZERO, None
        elif (after > 0) != (self.quantity > 0) or not self.quantity:
            average, opened = price, at
        elif self._closed_by(quantity):
            average = self.average_price
        else:
            average = settle((self.quantity * self.average_price + quantity * price) / after)
        return Position(
            self.account_id,
            self.symbol,
            self.currency,
            after,
            average,
            self.realized_pnl + self.realizes(quantity, price),
            self.fees + fee,
            sequence,
            opened,
            at,
        )

    def realizes(self, quantity: Decimal, price: Decimal) -> Decimal:
        """What a trade of `quantity` at `price` would add to `realized_pnl`."""
        return settle((price - self.average_price) * self._closed_by(quantity))

    def _closed_by(self, quantity: Decimal) -> Decimal:
        """The part of the present quantity, with its sign, that a trade of `quantity` closes."""
        if not self.quantity or (quantity > 0) == (self.quantity > 0):
            return ZERO
        return self.quantity if abs(quantity) >= abs(self.quantity) else -quantity

    def unrealized_pnl(self, mark: Decimal) -> Decimal:
        return (mark - self.average_price) * self.quantity
