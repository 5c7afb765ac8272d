"""What an account holds and is worth at one moment."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from application.trading.account_book import AccountBook
from application.trading.command import Needs
from domain.decimals import ZERO
from domain.risk.services.margin import Margin, MissingPrice
from domain.trading.entities.position import Position


@dataclass(frozen=True, slots=True)
class ValuedPosition:
    """A position with its mark, None when the market shows no price."""

    position: Position
    mark_price: Decimal | None
    mark_time: datetime | None


@dataclass(frozen=True, slots=True)
class CashView:
    """`reserved` is what open buys may cost; `base_rate` is None when unknown."""

    currency: str
    amount: Decimal
    reserved: Decimal
    base_rate: Decimal | None


@dataclass(frozen=True, slots=True)
class PortfolioView:
    """State after event `sequence`, at the prices of `as_of`. Totals are in the base currency and None when a
    price that they need is among `missing`.
    """

    account_id: str
    base_currency: str
    cash: tuple[CashView, ...]
    positions: tuple[ValuedPosition, ...]
    margin: Margin | None
    realized_pnl: Decimal | None
    unrealized_pnl: Decimal | None
    fees: Decimal | None
    missing: tuple[str, ...]
    as_of: datetime
    sequence: int


@dataclass(frozen=True, slots=True)
class GetPortfolio:
    """Read in the account's turn, so it holds everything that was answered before."""

    account_id: str
    actor: str

    def needs(self) -> Needs:
        return Needs(valued=True)

    def decide(self, book: AccountBook) -> PortfolioView:
        missing: dict[str, None] = {}
        positions = tuple(_valued(book, book.portfolio.positions[s]) for s in sorted(book.portfolio.positions))
        missing.update((v.position.symbol, None) for v in positions if v.mark_price is None and v.position.quantity)
        totals = _totals(book, positions, missing)
        try:
            margin = book.valuation.margin(book.portfolio, book.open_orders, book.limits.max_leverage)
        except MissingPrice as error:
            margin = None
            missing[str(error.args[0])] = None
        return PortfolioView(
            book.account_id,
            book.account.base_currency,
            _cash(book),
            positions,
            margin,
            *totals,
            tuple(missing),
            book.now,
            book.sequence,
        )


def _valued(book: AccountBook, position: Position) -> ValuedPosition:
    quote = book.quotes.latest(position.symbol)
    if quote is None:
        return ValuedPosition(position, None, None)
    return ValuedPosition(position, quote.mid, quote.quote_time)


def _totals(
    book: AccountBook, positions: tuple[ValuedPosition, ...], missing: dict[str, None]
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Realised and unrealised profit and fees; the currency of each position is converted at today's rate."""
    realized = unrealized = fees = ZERO
    for valued in positions:
        position = valued.position
        try:
            rate = book.valuation.rate(position.currency)
        except MissingPrice as error:
            missing[str(error.args[0])] = None
            return None, None, None
        realized += position.realized_pnl * rate
        fees += position.fees * rate
        if valued.mark_price is not None:
            unrealized += position.unrealized_pnl(valued.mark_price) * rate
    return realized, None if missing else unrealized, fees


def _cash(book: AccountBook) -> tuple[CashView, ...]:
    reserved: defaultdict[str, Decimal] = defaultdict(lambda: ZERO)
    for waiting in book.open_orders.values():
        reserved[waiting.currency] += waiting.buy_notional
    views = []
    for currency in sorted(book.portfolio.cash.keys() | reserved.keys()):
        try:
            rate: Decimal | None = book.valuation.rate(currency)
        except MissingPrice:
            rate = None
        views.append(CashView(currency, book.portfolio.cash.get(currency, ZERO), reserved[currency], rate))
    return tuple(views)
