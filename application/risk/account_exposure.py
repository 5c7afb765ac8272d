"""What one account has at risk, as its book shows it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from application.risk.limit_usage import usage_of
from application.trading.account_book import AccountBook, open_amount
from application.trading.valuation import Valuation
from domain.decimals import ONE, ZERO
from domain.risk.services.exposure import Orders, Stake
from domain.risk.services.limit_use import limit_uses
from domain.risk.services.margin import MissingPrice
from domain.risk.value_objects.limits import LimitUse
from domain.trading.aggregates.order import Order
from domain.trading.value_objects.order_type import Side
from domain.trading.value_objects.symbol import pair


@dataclass(frozen=True, slots=True)
class AccountExposure:
    """One account after event `sequence`, in `currency`. `equity` is None when a price that it needs is `missing`.

    `position_sequences` is, by symbol, the event that last changed the position.
    """

    account_id: str
    currency: str
    equity: Decimal | None
    stakes: tuple[Stake, ...]
    position_sequences: Mapping[str, int]
    missing: tuple[str, ...]
    limits: tuple[LimitUse, ...]
    as_of: datetime
    sequence: int


def account_exposure(book: AccountBook, currency: str) -> AccountExposure:
    prices = _Prices(Valuation(currency, book.quotes))
    stakes = _stakes(book, prices)
    positions = book.portfolio.positions
    return AccountExposure(
        account_id=book.account_id,
        currency=currency,
        equity=_equity(book, stakes, prices),
        stakes=stakes,
        position_sequences={stake.symbol: positions[stake.symbol].sequence for stake in stakes if stake.quantity},
        missing=tuple(sorted(prices.missing)),
        limits=tuple(limit_uses(book.limits, usage_of(book))),
        as_of=book.now,
        sequence=book.sequence,
    )


class _Prices:
    """Prices and rates into one currency; None for what the market does not show, which is then in `missing`."""

    def __init__(self, valuation: Valuation) -> None:
        self._valuation = valuation
        self.missing: set[str] = set()

    def rate(self, currency: str) -> Decimal | None:
        try:
            return self._valuation.rate(currency)
        except MissingPrice:
            self.missing.add(pair(currency, self._valuation.base_currency))
            return None

    def mark(self, symbol: str) -> Decimal | None:
        """In the currency that the symbol is priced in."""
        try:
            return self._valuation.mark(symbol)
        except MissingPrice:
            self.missing.add(symbol)
            return None


def _stakes(book: AccountBook, prices: _Prices) -> tuple[Stake, ...]:
    held = {symbol: position for symbol, position in book.portfolio.positions.items() if position.quantity}
    currencies = {symbol: position.currency for symbol, position in held.items()}
    currencies |= {symbol: waiting.currency for symbol, waiting in book.open_orders.items()}
    orders = _orders(book)
    stakes = []
    for symbol, currency in sorted(currencies.items()):
        rate = prices.rate(currency)
        mark = prices.mark(symbol) if symbol in held else ZERO
        instrument = book.quotes.instrument(symbol)
        stakes.append(
            Stake(
                book.account_id,
                symbol,
                currency,
                (instrument.sector if instrument else None) or "",
                held[symbol].quantity if symbol in held else ZERO,
                None if mark is None or rate is None else mark * rate,
                {strategy: waiting.times(rate or ZERO) for strategy, waiting in orders[symbol].items()},
            )
        )
    return tuple(stakes)


def _orders(book: AccountBook) -> defaultdict[str, defaultdict[str, Orders]]:
    """What may yet trade, by symbol and strategy: the same that counts against the limits."""
    orders: defaultdict[str, defaultdict[str, Orders]] = defaultdict(lambda: defaultdict(Orders))
    for order in book.open():
        if order.awaits_position:
            continue
        quantity, notional = open_amount(order)
        notional *= _closing_share(book, order) if order.terms.reduce_only else ONE
        if quantity and notional:
            waiting = orders[order.terms.symbol][order.terms.strategy_id]
            if order.terms.side is Side.BUY:
                waiting.buys += notional
            else:
                waiting.sells += notional
    return orders


def _closing_share(book: AccountBook, order: Order) -> Decimal:
    """The share of the orders that only reduce which there is a position for."""
    held, waiting = book.portfolio.positions.get(order.terms.symbol), book.open_orders[order.terms.symbol]
    try:
        value = held.quantity * book.valuation.mark(order.terms.symbol) if held else ZERO
    except MissingPrice:
        return ZERO
    if order.terms.side is Side.BUY:
        closed, all_of_them = waiting.bought(value) - waiting.buy_notional, waiting.buy_reducing_notional
    else:
        closed, all_of_them = waiting.sold(value) - waiting.sell_notional, waiting.sell_reducing_notional
    return closed / all_of_them if all_of_them else ZERO


def _equity(book: AccountBook, stakes: tuple[Stake, ...], prices: _Prices) -> Decimal | None:
    equity = ZERO
    for currency, amount in book.portfolio.cash.items():
        rate = prices.rate(currency) if amount else ZERO
        if rate is None:
            return None
        equity += amount * rate
    for stake in stakes:
        if stake.price is None:
            return None
        equity += stake.quantity * stake.price
    return equity
