"""What an account could owe in the worst case, and what is left to trade with.

Every symbol is charged for the larger of its two extremes: all open buys filled and no sell, or all open
sells filled and no buy. So orders that are sent at the same time can never use the same money twice, an
order of unknown outcome counts as open, and an order that only closes costs nothing.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from domain.decimals import ZERO


@dataclass(slots=True)
class OpenOrders:
    """The open orders of one symbol: quantities, and notionals in the symbol's currency.

    Orders that only reduce are apart. By themselves they add nothing, but what they close first, another order of
    their side cannot close any more.
    """

    currency: str
    buy_quantity: Decimal = ZERO
    sell_quantity: Decimal = ZERO
    buy_notional: Decimal = ZERO
    sell_notional: Decimal = ZERO
    buy_reducing: Decimal = ZERO
    sell_reducing: Decimal = ZERO
    buy_reducing_notional: Decimal = ZERO
    sell_reducing_notional: Decimal = ZERO

    @property
    def is_empty(self) -> bool:
        return not (self.buy_quantity or self.sell_quantity or self.buy_reducing or self.sell_reducing)

    def bought(self, held: Decimal) -> Decimal:
        """All that buys, by value, when `held` is the present position's signed market value."""
        if self.buy_reducing_notional and held < ZERO:
            return self.buy_notional + min(self.buy_reducing_notional, -held)
        return self.buy_notional

    def sold(self, held: Decimal) -> Decimal:
        """All that sells, by value."""
        if self.sell_reducing_notional and held > ZERO:
            return self.sell_notional + min(self.sell_reducing_notional, held)
        return self.sell_notional

    def worst_exposure(self, held: Decimal) -> Decimal:
        """The largest absolute exposure when `held` is the present position's signed market value."""
        return max(held + self.bought(held), self.sold(held) - held)


def worst_while_pending(left: Decimal, price: Decimal, new_left: Decimal, new_price: Decimal) -> Decimal:
    """The most that an order can cost while a replace of it is pending.

    Either the replace comes first, and `new_left` trades at `new_price`; or all that is `left` trades at
    `price`, and then the rest of the new quantity at the new price.
    """
    return max(new_left * new_price, left * price + max(ZERO, new_left - left) * new_price)


class Holding(Protocol):
    """A position as the margin sees it: signed `quantity` of `symbol`, priced in `currency`."""

    @property
    def symbol(self) -> str: ...
    @property
    def currency(self) -> str: ...
    @property
    def quantity(self) -> Decimal: ...


@dataclass(frozen=True, slots=True)
class Margin:
    """In the base currency. `used` is the sum of the worst exposures, `gross` that of today's positions.

    `reserved` is what open orders add: used - gross. `buying_power` = equity x max leverage - used. `net` is that of
    today's positions; `net_low` and `net_high` are how far it could go if all open sells, or all open buys, filled.
    """

    equity: Decimal
    gross: Decimal
    net: Decimal
    used: Decimal
    buying_power: Decimal
    net_low: Decimal
    net_high: Decimal

    @property
    def reserved(self) -> Decimal:
        return self.used - self.gross


class MissingPrice(Exception):
    """No price or currency rate: nothing can be said about the margin. `args[0]` names what is missing."""


Mark = Callable[[str], Decimal]
Rate = Callable[[str], Decimal]


def measure(
    cash: Iterable[tuple[str, Decimal]],
    holdings: Iterable[Holding],
    open_orders: dict[str, OpenOrders],
    max_leverage: Decimal | None,
    mark: Mark,
    rate: Rate,
) -> Margin:
    """The account's margin now. `mark` prices a symbol, `rate` converts one unit of a currency to the base.

    Both raise MissingPrice when they cannot; an account that cannot be valued is not guessed at. With no limit of
    leverage, what can be bought is still no more than what there is.
    """
    equity = gross = net = used = buys = sells = ZERO
    for currency, amount in cash:
        if amount:
            equity += amount * rate(currency)
    held_symbols = set()
    for holding in holdings:
        if not holding.quantity:
            continue
        held_symbols.add(holding.symbol)
        to_base = rate(holding.currency)
        value = holding.quantity * mark(holding.symbol)
        waiting = open_orders.get(holding.symbol)
        worst = abs(value)
        if waiting:
            worst = waiting.worst_exposure(value)
            buys += waiting.bought(value) * to_base
            sells += waiting.sold(value) * to_base
        equity += value * to_base
        net += value * to_base
        gross += abs(value) * to_base
        used += worst * to_base
    for symbol, waiting in open_orders.items():
        if symbol not in held_symbols:
            to_base = rate(waiting.currency)
            used += waiting.worst_exposure(ZERO) * to_base
            buys += waiting.buy_notional * to_base
            sells += waiting.sell_notional * to_base
    most = equity if max_leverage is None else equity * max_leverage
    return Margin(equity, gross, net, used, most - used, net - sells, net + buys)
