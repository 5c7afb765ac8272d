"""One execution, as booked."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.trading.value_objects.order_type import Liquidity, Side


@dataclass(frozen=True, slots=True)
class Fill:
    """`quantity` of `symbol` traded at `price`; `fee` is positive when paid, in `fee_currency`.

    `execution_id` is the broker's, unique within (broker, account): the key that keeps a fill from being
    counted twice. `currency` is what `price` is counted in. `sequence` is that of the event that booked it;
    a correction has its own, and in `corrects_sequence` that of the trade that it goes back to. `realized_pnl` is
    what it made, in `currency` and before fees; None in a correction, which has the position counted again.
    """

    fill_id: str
    execution_id: str
    order_id: str
    client_order_id: str
    account_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    currency: str
    fee: Decimal
    fee_currency: str
    liquidity: Liquidity | None
    strategy_id: str
    fill_time: datetime
    sequence: int
    realized_pnl: Decimal | None = None
    busted: bool = False
    corrects_fill_id: str = ""
    corrects_sequence: int = 0

    @property
    def place(self) -> int:
        """Where it stands among the symbol's trades: a correction takes the place of the trade that it goes back to."""
        return self.corrects_sequence or self.sequence
