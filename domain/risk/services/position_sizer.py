"""How large a position is by each method, in exact decimals, with every step named.

A method is a value; its `size` is a pure function of it and the Basis. Percentages are percentages, amounts are
in the account's base currency, prices in the instrument's. Sizes are not rounded to the lot yet, and never negative.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from domain.decimals import ONE, ZERO, plain
from domain.errors import InvalidArgument
from domain.market_data.bar import Bar, BarInterval
from domain.trading.value_objects.order_type import Side


class SizingStep(NamedTuple):
    """`value` in `unit` is what came out, `text` says how."""

    name: str
    value: Decimal
    unit: str
    text: str


@dataclass(frozen=True, slots=True)
class Basis:
    """What every method starts from: `price`, `rate` and what they multiply to are above zero.

    `rate` is what one unit of the instrument's `currency` is in the `base_currency`, in which `equity` is counted.
    `unit` names the quantity: "shares", or the currency that a pair trades.
    """

    side: Side
    price: Decimal
    currency: str
    rate: Decimal
    base_currency: str
    equity: Decimal
    unit: str

    @property
    def unit_cost(self) -> Decimal:
        """One unit at the price, in the base currency."""
        return self.price * self.rate


class Sized(NamedTuple):
    """`quantity` is not rounded; `because` says in half a sentence what it is."""

    quantity: Decimal
    steps: tuple[SizingStep, ...]
    because: str


@dataclass(frozen=True, slots=True)
class FixedQuantity:
    """The quantity that the caller names. Formula: Q = `quantity`."""

    quantity: Decimal

    def size(self, basis: Basis) -> Sized:
        return Sized(self.quantity, (), "the quantity that was asked for")


@dataclass(frozen=True, slots=True)
class FixedNotional:
    """The quantity that an amount buys. Formula: Q = `notional` / (price x rate)."""

    notional: Decimal

    def size(self, basis: Basis) -> Sized:
        steps = (
            SizingStep("notional", self.notional, basis.base_currency, "as asked for"),
            _unit_cost(basis),
        )
        return Sized(
            self.notional / basis.unit_cost, steps, f"worth {_brief(self.notional)} {basis.base_currency} in all"
        )


@dataclass(frozen=True, slots=True)
class PercentOfEquity:
    """A share of the equity. Formula: Q = equity x `percent` / 100 / (price x rate).

    Source: the fixed fraction of Ralph Vince, Portfolio Management Formulas (1990), with the position's whole value
    as what is put in.
    """

    percent: Decimal

    def size(self, basis: Basis) -> Sized:
        equity = _equity(basis)
        notional = _share(equity, self.percent, "notional")
        quantity = notional.value / basis.unit_cost
        return Sized(
            quantity, (equity, notional, _unit_cost(basis)), f"{_percent_of_equity(self.percent, basis)} invested"
        )


@dataclass(frozen=True, slots=True)
class PercentRisk:
    """Reaching the stop costs a share of the equity.

    Formula: Q = equity x `risk_percent` / 100 / (|price - stop_price| x rate). Source: the percent risk model of
    Van K. Tharp, Trade Your Way to Financial Freedom (1998): the amount at risk divided by the risk of one unit.
    """

    risk_percent: Decimal
    stop_price: Decimal

    def size(self, basis: Basis) -> Sized:
        """Raises InvalidArgument for a stop that is not on the losing side of the price."""
        equity = _equity(basis)
        risk = _share(equity, self.risk_percent, "risk")
        per_unit = _risk_to_stop(basis, self.stop_price, "percent_risk.stop_price")
        because = (
            f"{_percent_of_equity(self.risk_percent, basis)} lost if the stop at {plain(self.stop_price)} is reached"
        )
        return Sized(risk.value / per_unit.value, (equity, risk, per_unit), because)


@dataclass(frozen=True, slots=True)
class VolatilityTarget:
    """A move of `multiple` average true ranges costs a share of the equity.

    Formula: Q = equity x `risk_percent` / 100 / (`atr` x `multiple` x rate). Source: the percent volatility model of
    Van K. Tharp (1998), with the unit that the Turtles traded, 1 % of equity over N (Curtis Faith, The Original Turtle
    Trading Rules, 2003). `atr` is None until it is computed from `atr_period` bars of `bar_interval`.
    """

    risk_percent: Decimal
    multiple: Decimal = ONE
    atr: Decimal | None = None
    atr_period: int = 14
    bar_interval: BarInterval = BarInterval.DAY_1

    def size(self, basis: Basis) -> Sized:
        """Raises ValueError when there is no `atr`, or it is zero: then no move is expected at all."""
        if not self.atr:
            raise ValueError("an average true range above zero is needed")
        equity = _equity(basis)
        risk = _share(equity, self.risk_percent, "risk")
        atr = SizingStep("average true range", self.atr, basis.currency, "as asked for or computed from bars (Wilder)")
        move = self.atr * self.multiple * basis.rate
        text = f"a move by {plain(self.multiple)} average true ranges, per unit"
        per_unit = SizingStep("risk per unit", move, basis.base_currency, text)
        because = f"{_percent_of_equity(self.risk_percent, basis)} lost by {text.removesuffix(', per unit')}"
        return Sized(risk.value / move, (equity, risk, atr, per_unit), because)


@dataclass(frozen=True, slots=True)
class Kelly:
    """The share of the equity that makes it grow fastest in the long run, times `fraction`; zero without an edge.

    Formula: f = w - (1 - w) / b for the win rate w and the payoff b; Q = equity x f x `fraction` / (price x rate).
    Source: J. L. Kelly, A New Interpretation of Information Rate, Bell System Technical Journal 35 (1956), in the form
    of Edward O. Thorp, The Kelly Criterion in Blackjack, Sports Betting, and the Stock Market (2006).
    """

    win_rate_percent: Decimal
    payoff: Decimal
    fraction: Decimal = ONE

    def size(self, basis: Basis) -> Sized:
        wins = self.win_rate_percent / 100
        kelly = wins - (1 - wins) / self.payoff
        odds = f"w - (1 - w) / b for w = {plain(wins)} and b = {plain(self.payoff)}"
        named = SizingStep("Kelly share", kelly * 100, "percent", odds)
        share = max(ZERO, kelly) * self.fraction
        text = f"of the Kelly share, {plain(self.fraction)} is taken" if kelly > 0 else "no edge, so nothing is put in"
        taken = SizingStep("share of equity", share * 100, "percent", text)
        equity = _equity(basis)
        notional = _share(equity, taken.value, "notional")
        return Sized(
            notional.value / basis.unit_cost,
            (named, taken, equity, notional, _unit_cost(basis)),
            f"{_percent_of_equity(taken.value, basis)} invested" if share else "the odds give no edge",
        )


@dataclass(frozen=True, slots=True)
class EqualRisk:
    """Reaching the stop costs an equal part of a loss that `position_count` positions share.

    Formula: Q = equity x `risk_percent` / 100 / `position_count` / (|price - stop_price| x rate): the percent risk
    model with the same risk budget for each position (equal risk contributions where losses at the stops add up;
    Maillard, Roncalli and Teiletche, The Properties of Equally Weighted Risk Contribution Portfolios, 2010).
    """

    risk_percent: Decimal
    position_count: int
    stop_price: Decimal

    def size(self, basis: Basis) -> Sized:
        """Raises InvalidArgument for a stop that is not on the losing side of the price."""
        equity = _equity(basis)
        shared = _share(equity, self.risk_percent, "risk of all positions")
        text = f"an equal part for each of {self.position_count} positions"
        risk = SizingStep("risk", shared.value / self.position_count, basis.base_currency, text)
        per_unit = _risk_to_stop(basis, self.stop_price, "equal_risk.stop_price")
        because = (
            f"1/{self.position_count} of {_percent_of_equity(self.risk_percent, basis)} lost if the stop at "
            f"{plain(self.stop_price)} is reached"
        )
        return Sized(risk.value / per_unit.value, (equity, shared, risk, per_unit), because)


SizingMethod: TypeAlias = (
    FixedQuantity | FixedNotional | PercentOfEquity | PercentRisk | VolatilityTarget | Kelly | EqualRisk
)


def average_true_range(bars: Sequence[Bar], period: int) -> Decimal:
    """The average true range after the last of `bars`, which are at least `period` and of one interval, in order.

    Formula: the true range is max(high, close before) - min(low, close before), of the first bar high - low; the
    average starts as the mean of the first `period` and goes on as (average x (period - 1) + true range) / period.
    Source: J. Welles Wilder, New Concepts in Technical Trading Systems (1978). Raises ValueError for too few bars.
    """
    if len(bars) < period:
        raise ValueError(f"{period} bars are needed, not {len(bars)}")
    ranges = [bars[0].high - bars[0].low]
    for before, bar in pairwise(bars):
        ranges.append(max(bar.high, before.close) - min(bar.low, before.close))
    average = sum(ranges[:period], ZERO) / period
    for true_range in ranges[period:]:
        average = (average * (period - 1) + true_range) / period
    return average


def _equity(basis: Basis) -> SizingStep:
    """A debt cannot be shared out: below zero the equity counts as zero."""
    return SizingStep(
        "equity", max(ZERO, basis.equity), basis.base_currency, "cash and positions at the market's middle"
    )


def _share(of: SizingStep, percent: Decimal, name: str) -> SizingStep:
    return SizingStep(name, of.value * percent / 100, of.unit, f"{_brief(percent)} percent of the {of.name}")


def _unit_cost(basis: Basis) -> SizingStep:
    return SizingStep("cost per unit", basis.unit_cost, basis.base_currency, "the price, in the base currency")


def _risk_to_stop(basis: Basis, stop_price: Decimal, field: str) -> SizingStep:
    distance = (basis.price - stop_price) * basis.side.sign
    if distance <= ZERO:
        below, kind = ("below", "long") if basis.side is Side.BUY else ("above", "short")
        raise InvalidArgument(field, f"must be {below} the price of a {kind} position, {plain(basis.price)}")
    text = f"from {plain(basis.price)} to the stop at {plain(stop_price)}, in the base currency"
    return SizingStep("risk per unit", distance * basis.rate, basis.base_currency, text)


def _percent_of_equity(percent: Decimal, basis: Basis) -> str:
    return f"{_brief(percent)} percent of the equity of {_brief(max(ZERO, basis.equity))} {basis.base_currency}"


def _brief(value: Decimal) -> str:
    return plain(round(value, 6))
