"""What a portfolio must be, worked out the slow way: one unit after the other, in exact fractions."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position


@dataclass
class Holding:
    """`quantity` whole units, negative when short."""

    quantity: int = 0
    average: Fraction = Fraction(0)
    realized: Fraction = Fraction(0)
    fees: Fraction = Fraction(0)

    def trade_one(self, direction: int, price: Fraction) -> None:
        if self.quantity * direction >= 0:
            held = abs(self.quantity)
            self.average = (self.average * held + price) / (held + 1)
        else:
            self.realized += (price - self.average) * -direction
        self.quantity += direction
        if not self.quantity:
            self.average = Fraction(0)


def worked_out(fills: Iterable[Fill]) -> dict[str, Holding]:
    """The holdings that `fills` make, by symbol, each in the order given."""
    holdings: defaultdict[str, Holding] = defaultdict(Holding)
    for fill in fills:
        holding = holdings[fill.symbol]
        for _ in range(int(fill.quantity)):
            holding.trade_one(fill.side.sign, Fraction(fill.price))
        if fill.fee_currency == fill.currency:
            holding.fees += Fraction(fill.fee)
    return dict(holdings)


def cash_after(start: dict[str, Decimal], fills: Iterable[Fill]) -> dict[str, Decimal]:
    """Cash by currency once `fills` are paid for; currencies with nothing in them are left out."""
    cash = defaultdict(Decimal, start)
    for fill in fills:
        cash[fill.currency] -= fill.side.sign * fill.quantity * fill.price
        cash[fill.fee_currency] -= fill.fee
    return {currency: amount for currency, amount in cash.items() if amount}


def agrees(position: Position, holding: Holding) -> bool:
    """Equal but for what rounding to 18 places can make of the averages."""
    return (
        position.quantity == holding.quantity
        and _near(position.average_price, holding.average)
        and _near(position.realized_pnl, holding.realized)
        and _near(position.fees, holding.fees)
    )


def _near(value: Decimal, exact: Fraction) -> bool:
    return abs(Fraction(value) - exact) < Fraction(1, 10**12)
