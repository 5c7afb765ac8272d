"""The limits that an account's orders are held against."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.risk.value_objects.limits import LossAction, PriceCollarWindow, RateLimit, SelfMatchAction, SymbolLimits


@dataclass(frozen=True, slots=True)
class RiskProfile:
    """The limits of one account, or with an empty `account_id` the firm's ceiling above all accounts.

    A limit of None is off; what has a default is always on in an account, and None in the firm's ceiling means that
    the firm does not care. Percentages are percentages, times are seconds, amounts are in the account's base
    currency. `max_leverage`: gross exposure over equity, at most. `market_order_buffer`: the fraction above the quote
    that is reserved for an order without a limit price, since it may fill there. `max_short_quantity`: per symbol,
    open orders counted as filled. `day_start`: seconds after midnight UTC.
    """

    account_id: str
    version: int = 1
    updated_time: datetime | None = None
    updated_by: str = ""
    max_order_quantity: Decimal | None = None
    max_order_notional: Decimal | None = None
    price_collar_percent: Decimal | None = None
    price_collar_ticks: int | None = None
    price_collar_window: PriceCollarWindow | None = None
    max_open_orders: int | None = None
    max_position_quantity: Decimal | None = None
    max_position_notional: Decimal | None = None
    symbol_limits: tuple[SymbolLimits, ...] = ()
    max_gross_exposure: Decimal | None = None
    max_net_exposure: Decimal | None = None
    max_leverage: Decimal | None = Decimal(1)
    max_concentration_percent: Decimal | None = None
    max_daily_loss: Decimal | None = None
    max_daily_drawdown_percent: Decimal | None = None
    max_drawdown_percent: Decimal | None = None
    loss_action: LossAction = LossAction.REDUCE
    day_start: Decimal = Decimal(0)
    order_rate: RateLimit | None = None
    replace_rate: RateLimit | None = None
    cancel_rate: RateLimit | None = None
    repeated_execution: RateLimit | None = None
    duplicate_window: Decimal | None = None
    self_match_action: SelfMatchAction | None = None
    restricted_symbols: frozenset[str] = frozenset()
    allowed_symbols: frozenset[str] = frozenset()
    short_selling: bool = True
    reduce_only: bool = False
    trading_hours_only: bool = False
    max_short_quantity: Decimal | None = None
    market_order_buffer: Decimal = Decimal("0.02")
    max_quote_age: Decimal | None = Decimal(10)
    warn_at_percent: Decimal | None = None
