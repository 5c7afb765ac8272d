"""The proof at the end: what the streams told, what the lists say, and what the account holds are the same.

Nothing here trusts a total of the server's: positions, cash and filled quantities are counted from the fills.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import NamedTuple

from quantmesh.trading.v1.fill_pb2 import Fill
from quantmesh.trading.v1.order_pb2 import Order
from quantmesh.trading.v1.portfolio_pb2 import Portfolio, Position
from quantmesh.type.v1.side_pb2 import SIDE_BUY
from server.demo.prices import plain

# Products of two numbers of the wire, with 18 places each, summed exactly.
_PRECISION = 80
# Average prices are kept to 18 places, so a profit that is made of them may differ behind that.
_ROUNDING = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class Books:
    """`streamed` and `seen` came over the streams; the rest was read when every order had ended."""

    base_currency: str
    starting_cash: str
    seen: Mapping[str, Order]
    streamed: Sequence[Fill]
    orders: Sequence[Order]
    fills: Sequence[Fill]
    positions: Sequence[Position]
    portfolio: Portfolio
    currencies: Mapping[str, str]


class Check(NamedTuple):
    """`text` says what was held against what, and how it differs if it does."""

    agrees: bool
    text: str


def audit(books: Books) -> list[Check]:
    """Every check, in the order in which a reader would ask."""
    with localcontext(prec=_PRECISION):
        return [
            _streamed(books),
            _ended(books),
            _filled(books),
            _positions(books),
            _cash(books),
            _equity(books),
        ]


def _streamed(books: Books) -> Check:
    streamed, listed = [fill.fill_id for fill in books.streamed], [fill.fill_id for fill in books.fills]
    return _check(f"{len(listed)} fills listed = fills streamed, each once", streamed, listed)


def _ended(books: Books) -> Check:
    seen = {order_id: (order.status, order.filled_quantity) for order_id, order in books.seen.items()}
    listed = {order.order_id: (order.status, order.filled_quantity) for order in books.orders}
    return _check(f"{len(listed)} orders listed = orders as the events left them", seen, listed)


def _filled(books: Books) -> Check:
    counted = _sums((fill.order_id, Decimal(fill.quantity)) for fill in _valid(books))
    told = _sums((order.order_id, Decimal(order.filled_quantity)) for order in books.orders)
    return _check("sum of fills = filled quantity of each order", counted, told)


def _positions(books: Books) -> Check:
    counted = _sums((fill.symbol, _signed(fill)) for fill in _valid(books))
    told = _sums((position.symbol, Decimal(position.quantity)) for position in books.positions)
    return _check("sum of fills = position in each symbol", counted, told)


def _cash(books: Books) -> Check:
    moves = [(books.base_currency, Decimal(books.starting_cash))]
    for fill in _valid(books):
        moves.append((books.currencies[fill.symbol], -_signed(fill) * Decimal(fill.price)))
        moves.append((fill.fee_currency, -Decimal(fill.fee)))
    told = _sums((cash.currency, Decimal(cash.amount)) for cash in books.portfolio.cash)
    return _check("starting cash - bought + sold - fees = cash in each currency", _sums(moves), told)


def _equity(books: Books) -> Check:
    told = books.portfolio
    made = Decimal(told.realized_pnl) + Decimal(told.unrealized_pnl) - Decimal(told.fees)
    expected, equity = Decimal(books.starting_cash) + made, Decimal(told.equity)
    if abs(expected - equity) <= _ROUNDING:
        expected = equity
    return _check(
        "starting cash + realised + unrealised - fees = equity",
        {"equity": expected},
        {"equity": equity},
    )


def _valid(books: Books) -> Iterable[Fill]:
    return (fill for fill in books.fills if not fill.busted)


def _signed(fill: Fill) -> Decimal:
    return Decimal(fill.quantity) if fill.side == SIDE_BUY else -Decimal(fill.quantity)


def _sums(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Totals by key; what comes to nothing is left out."""
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for key, amount in amounts:
        totals[key] += amount
    return {key: total for key, total in totals.items() if total}


def _check(text: str, expected: object, found: object) -> Check:
    return Check(True, text) if expected == found else Check(False, f"{text}: {_difference(expected, found)}")


def _difference(expected: object, found: object) -> str:
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return f"expected {expected}, found {found}"
    keys = [key for key in expected | found if expected.get(key) != found.get(key)]
    return "; ".join(f"{key} expected {_shown(expected.get(key))}, found {_shown(found.get(key))}" for key in keys)


def _shown(value: object) -> str:
    return plain(value) if isinstance(value, Decimal) else str(value)
