"""One order before the rules, made of plain numbers: ACME at 49.90 to 50.10, an account with 10,000 USD."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from domain.decimals import ZERO
from domain.market_data.instrument import AssetClass, Instrument
from domain.market_data.quote import Quote
from domain.market_data.trading_hours import ALWAYS_OPEN, TradingHours
from domain.risk.aggregates.kill_switch import KillSwitch
from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.aggregates.risk_state import RiskState
from domain.risk.aggregates.scoped_state import ScopedTradingState
from domain.risk.services.margin import OpenOrders, measure
from domain.risk.services.pre_trade_check import RuleResult, Situation, check, reserve_price
from domain.risk.value_objects.limits import PriceCollarWindow, RateLimit, SelfMatchAction, SymbolLimits
from domain.risk.value_objects.scope import EVERYTHING
from domain.risk.value_objects.trading_state import TradingState
from domain.trading.value_objects.order_terms import OrderTerms
from domain.trading.value_objects.order_type import OrderType, Side

D = Decimal
START = datetime(2025, 3, 4, 15, 0, tzinfo=UTC)
ACME = Instrument("ACME", "Acme", AssetClass.EQUITY, "USD", "TEST", D("0.01"), D(1), D(1), D(1_000_000), ALWAYS_OPEN)
QUOTE = Quote("ACME", D("49.90"), D(100), D("50.10"), D(100), START)
MARKS = {"ACME": D(50), "OTHER": D(10)}


def order(side: Side = Side.BUY, quantity: str | int = 100, price: str | int | None = 50, **more: Any) -> OrderTerms:
    """A limit order at `price`, a market order with None, or what `more` says."""
    if "type" not in more:
        more["type"] = OrderType.MARKET if price is None else OrderType.LIMIT
    limit = None if price is None else D(price)
    return OrderTerms("x", more.pop("symbol", "ACME"), side, D(quantity), limit_price=limit, **more)


class Held(NamedTuple):
    symbol: str
    currency: str
    quantity: Decimal


@dataclass(frozen=True)
class Around:
    """What the account has besides the order: cash, positions by symbol, open orders of ACME."""

    cash: int | str | Decimal = 10_000
    held: Mapping[str, int] = field(default_factory=dict)
    waiting: OpenOrders | None = None


def situation(
    terms: OrderTerms | None = None, *, around: Around | None = None, limits: RiskProfile | None = None, **more: Any
) -> Situation:
    """A buy of 100 ACME at 50, or `terms`; `more` are fields of Situation that are to be otherwise."""
    terms, around = terms or order(), around or Around()
    profile = limits or RiskProfile("acct")
    held = [Held(symbol, "USD", D(quantity)) for symbol, quantity in around.held.items()]
    waiting = {"ACME": around.waiting} if around.waiting else {}
    margin = measure(
        [("USD", D(around.cash))], held, waiting, profile.max_leverage, MARKS.__getitem__, lambda currency: D(1)
    )
    price = reserve_price(terms, QUOTE, profile.market_order_buffer)
    made = Situation(
        terms=terms,
        now=START,
        profile=profile,
        base_currency="USD",
        instrument=ACME,
        quote=QUOTE,
        broker_refuses="",
        broker_shorts=True,
        position=D(around.held.get("ACME", 0)),
        waiting=around.waiting,
        before=margin,
        missing="",
        rate=D(1),
        adds=terms.quantity,
        reserve_price=price,
        costs=terms.quantity * price,
    )
    return replace(made, **more)


def told(made: Situation) -> dict[str, RuleResult]:
    """What every rule says, by its code."""
    return {result.rule: result for result in check(made)}


def failed(made: Situation) -> set[str]:
    return {result.rule for result in check(made) if not result.passed}


RATE = RateLimit(5, D(1))

# Every limit there is, none of them near.
EVERY_LIMIT = RiskProfile(
    "acct",
    max_order_quantity=D(10_000),
    max_order_notional=D(1_000_000),
    price_collar_percent=D(5),
    price_collar_ticks=500,
    price_collar_window=PriceCollarWindow(D(5), D(60)),
    max_open_orders=100,
    max_position_quantity=D(10_000),
    max_position_notional=D(1_000_000),
    symbol_limits=(SymbolLimits("ACME", D(9_000), D(900_000), D(9_000), D(900_000)), SymbolLimits("OTHER", D(1))),
    max_gross_exposure=D(1_000_000),
    max_net_exposure=D(1_000_000),
    max_leverage=D(3),
    max_concentration_percent=D(300),
    max_daily_loss=D(5_000),
    max_daily_drawdown_percent=D(50),
    max_drawdown_percent=D(60),
    order_rate=RATE,
    replace_rate=RATE,
    cancel_rate=RATE,
    repeated_execution=RATE,
    duplicate_window=D(1),
    self_match_action=SelfMatchAction.REJECT,
    restricted_symbols=frozenset({"BAD"}),
    allowed_symbols=frozenset({"ACME", "OTHER"}),
    trading_hours_only=True,
    max_short_quantity=D(500),
    max_quote_age=D(10),
    warn_at_percent=D(80),
)
SOME_STATE = RiskState("acct", START, D(10_500), D(11_000), D(12_000))


def within_every_limit(terms: OrderTerms, **more: Any) -> Situation:
    """An order of an account with positions and open orders, where every rule has something to measure."""
    around = Around(held={"ACME": 40, "OTHER": 50}, waiting=OpenOrders("USD", D(10), D(20), D(500), D(1_002)))
    facts: dict[str, Any] = {
        "now": START + timedelta(seconds=2),
        "window": (D("49.5"), D("50.5")),
        "open_orders": 7,
        "rate_tokens": D("3.5"),
        "executions_left": D(2),
        "state": SOME_STATE,
    }
    return situation(terms, around=around, limits=EVERY_LIMIT, **(facts | more))


def rested(side_quantity: int, notional: int = 0, *, buys: bool = True) -> OpenOrders:
    """Open orders of one side."""
    quantity, value = D(side_quantity), D(notional or side_quantity * 50)
    return OpenOrders("USD", quantity, ZERO, value, ZERO) if buys else OpenOrders("USD", ZERO, quantity, ZERO, value)


KILL = KillSwitch("k-1", EVERYTHING, True, False, "why", "user:boss", START)
# ACME where it is traded for an hour a day, from START.
TIMED = replace(ACME, hours=TradingHours("UTC", START.time(), (START + timedelta(hours=1)).time(), frozenset(range(7))))
LOST = RiskState("acct", START, D(11_000), D(12_500), D(20_000))


def state(kind: TradingState) -> ScopedTradingState:
    return ScopedTradingState(EVERYTHING, kind, 1, "why", "user:boss", START)
