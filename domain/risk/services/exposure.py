"""What is at risk, by any grouping: every symbol of an account counts at its worst, as the margin counts it.

The worst of a symbol is the larger of all open buys filled and no sell, and all open sells filled and no buy. So the
gross exposure of an account is what its margin uses, and its leverage what MAX_LEVERAGE is held against.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from domain.decimals import ZERO


@dataclass(slots=True)
class Orders:
    """Open orders as if they had filled: their notionals."""

    buys: Decimal = ZERO
    sells: Decimal = ZERO

    def times(self, rate: Decimal) -> "Orders":
        return Orders(self.buys * rate, self.sells * rate)


@dataclass(frozen=True, slots=True)
class Stake:
    """What one account has in one symbol, and its open orders there by strategy.

    `quantity` is signed, and one of it is worth `price` in the exposure's currency, in which `orders` are too. `price`
    is zero for no position, and None when it or a currency rate is missing: then no amount can be told.
    """

    account_id: str
    symbol: str
    currency: str
    sector: str
    quantity: Decimal
    price: Decimal | None
    orders: Mapping[str, Orders]

    @property
    def worst(self) -> Decimal | None:
        """Signed: above zero when it is long at worst."""
        return self._at_worst(self.quantity, self.orders.values())

    def by_strategy(self, quantities: Mapping[str, Decimal]) -> dict[str, Decimal | None]:
        """What each strategy adds to the worst, when the position is made up of their `quantities`.

        The sum is `worst`, but one strategy may be long of what another is short.
        """
        return {
            strategy: self._at_worst(quantities.get(strategy, ZERO), [self.orders.get(strategy, _NONE)])
            for strategy in quantities.keys() | self.orders.keys()
        }

    def _at_worst(self, quantity: Decimal, orders: Iterable[Orders]) -> Decimal | None:
        if self.price is None:
            return None
        change = sum((waiting.buys - waiting.sells for waiting in self.orders.values()), ZERO)
        if 2 * self.quantity * self.price + change >= ZERO:
            return quantity * self.price + sum((waiting.buys for waiting in orders), ZERO)
        return quantity * self.price - sum((waiting.sells for waiting in orders), ZERO)


_NONE = Orders()


@dataclass(slots=True)
class Exposure:
    """`long` and `short` are not negative. With `is_known` False none of the amounts can be told."""

    long: Decimal = ZERO
    short: Decimal = ZERO
    is_known: bool = True

    @property
    def gross(self) -> Decimal:
        return self.long + self.short

    @property
    def net(self) -> Decimal:
        return self.long - self.short

    def add(self, amount: Decimal | None) -> None:
        if amount is None:
            self.is_known = False
        elif amount > ZERO:
            self.long += amount
        else:
            self.short -= amount

    def over(self, equity: Decimal | None) -> Decimal | None:
        """Gross exposure over `equity`; None when that is unknown, or there is none."""
        return self.gross / equity if self.is_known and equity is not None and equity > ZERO else None


def grouped(amounts: Iterable[tuple[str, Decimal | None]]) -> dict[str, Exposure]:
    """The signed amounts by their keys, in the order of the keys; a key with an unknown one is unknown."""
    groups: defaultdict[str, Exposure] = defaultdict(Exposure)
    for key, amount in amounts:
        groups[key].add(amount)
    return dict(sorted(groups.items()))


@dataclass(slots=True)
class Attribution:
    """Whose a position of `left` is: the strategies of the fills that made it since it was last flat.

    It is fed those fills from the newest back, until nothing is `left`; `quantities` are signed, and sum up to
    the position less what is left.
    """

    left: Decimal
    quantities: dict[str, Decimal] = field(default_factory=dict)

    def take(self, strategy_id: str, traded: Decimal) -> None:
        """`traded` is signed; of a fill that turned the position round only the part behind zero counts."""
        before = self.left - traded
        if before * self.left <= ZERO:
            traded = self.left
        self.left -= traded
        self.quantities[strategy_id] = self.quantities.get(strategy_id, ZERO) + traded

    def finished(self) -> dict[str, Decimal]:
        """All of the position: what is left has no strategy."""
        if self.left:
            self.take("", self.left)
        return {strategy: quantity for strategy, quantity in self.quantities.items() if quantity}
