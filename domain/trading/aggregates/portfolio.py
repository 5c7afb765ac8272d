"""What an account holds: cash by currency and positions by symbol."""

from collections.abc import Iterable
from decimal import Decimal

from domain.decimals import ZERO, settle
from domain.trading.entities.fill import Fill
from domain.trading.entities.position import Position
from domain.trading.value_objects.money import Money


class Portfolio:
    """Cash and positions, changed by fills alone. Cash may turn negative: that is borrowed."""

    def __init__(self, account_id: str, cash: Iterable[Money], positions: Iterable[Position]) -> None:
        self.account_id = account_id
        self.cash = {money.currency: money.amount for money in cash}
        self.positions = {position.symbol: position for position in positions}

    def position(self, symbol: str, currency: str) -> Position:
        return self.positions.get(symbol) or Position(self.account_id, symbol, currency)

    def book(self, fill: Fill, sequence: int) -> None:
        """Take `fill` into cash and position."""
        self._move_cash(fill, 1)
        position = self.position(fill.symbol, fill.currency)
        self.positions[fill.symbol] = self._after(position, fill, sequence)

    def realizes(self, fill: Fill) -> Decimal:
        """What booking `fill` now would realise, in its currency and before fees."""
        return self.position(fill.symbol, fill.currency).realizes(fill.quantity * fill.side.sign, fill.price)

    def rebook(self, removed: Fill, added: Fill | None, history: Iterable[Fill], sequence: int) -> None:
        """Undo `removed` and take `added` for it; `history` are the fills of the symbol that count now, in order.

        Average cost depends on the order of trades, so the position is counted again from the start.
        """
        self._move_cash(removed, -1)
        if added is not None:
            self._move_cash(added, 1)
        position = Position(self.account_id, removed.symbol, removed.currency, sequence=sequence)
        for fill in history:
            position = self._after(position, fill, sequence)
        self.positions[removed.symbol] = position

    def _move_cash(self, fill: Fill, sign: int) -> None:
        paid = settle(fill.price * fill.quantity) * fill.side.sign
        self.cash[fill.currency] = self.cash.get(fill.currency, ZERO) - sign * paid
        if fill.fee:
            self.cash[fill.fee_currency] = self.cash.get(fill.fee_currency, ZERO) - sign * fill.fee

    @staticmethod
    def _after(position: Position, fill: Fill, sequence: int) -> Position:
        fee = fill.fee if fill.fee_currency == position.currency else ZERO
        return position.traded(fill.quantity * fill.side.sign, fill.price, fee, sequence, fill.fill_time)
