"""What callers, risk managers and a venue may think of next, for Hypothesis to choose from."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from domain.risk.value_objects.limits import RateLimit, SelfMatchAction
from domain.trading.value_objects.execution_report import ExecType
from domain.trading.value_objects.order_type import Side
from tests.proof.judge import SCOPES, STATES
from tests.proof.site import ACCOUNTS, PRICES
from tests.support.engine import Fault

STRATEGIES = ("", "alpha")

accounts = st.sampled_from(ACCOUNTS)
symbols = st.sampled_from(list(PRICES))
scopes = st.sampled_from(SCOPES)
late = st.booleans()
whichever = st.integers(0, 1_000)
rarely = st.integers(0, 9).map(lambda number: number == 9)
percents = st.none() | st.sampled_from([90, 98, 100, 102, 110])


@dataclass(frozen=True)
class Idea:
    """An order that somebody thinks of."""

    account_id: str
    symbol: str
    side: Side
    quantity: int
    percent: int | None
    strategy_id: str = ""
    only_reduces: bool = False


sides, sizes = st.sampled_from(Side), st.integers(1, 70)
ideas = st.builds(Idea, accounts, symbols, sides, sizes, percents, st.sampled_from(STRATEGIES), rarely)
quantities = st.none() | st.integers(20, 60).map(Decimal)
positions = st.none() | st.integers(40, 120).map(Decimal)
exposures = st.none() | st.integers(2_000, 9_000).map(Decimal)
counts = st.none() | st.integers(1, 6)
rates = st.none() | st.builds(RateLimit, st.integers(1, 4), st.sampled_from([Decimal(1), Decimal(5), Decimal(10)]))
leverages = st.none() | st.sampled_from([Decimal("0.5"), Decimal(1), Decimal(2)])
matches = st.none() | st.sampled_from(SelfMatchAction)
restricted = st.sampled_from([frozenset[str](), frozenset[str](), frozenset({"ACME"})])
own_limits = {
    "max_order_quantity": quantities,
    "max_position_quantity": positions,
    "max_gross_exposure": exposures,
    "max_open_orders": counts,
    "order_rate": rates,
    "max_leverage": leverages,
    "duplicate_window": st.none() | st.sampled_from([Decimal(1), Decimal(5)]),
    "self_match_action": matches,
    "restricted_symbols": restricted,
}
profiles = st.fixed_dictionaries({}, optional=own_limits)
growing = st.sampled_from(["max_order_quantity", "max_position_quantity", "max_gross_exposure", "max_leverage"])
firm_profiles = st.fixed_dictionaries(
    {
        "max_order_quantity": quantities,
        "max_position_quantity": positions,
        "max_gross_exposure": exposures,
        "max_open_orders": counts,
        "max_leverage": leverages,
        "self_match_action": matches,
        "restricted_symbols": restricted,
    }
)


def move(name: str, *of: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """A call of the method of that name: decisions are the risk managers', the rest the machine's."""
    return st.tuples(st.just(name), *of)


asks = st.one_of(
    move("place", ideas),
    move("place", ideas),
    move("place_again", whichever),
    move("place_against", whichever),
    move("replace", whichever, sizes | st.none(), percents),
    move("replace", whichever, sizes, percents),
    move("cancel", whichever),
    move("repeat", whichever),
)
doings = st.one_of(
    move("acknowledge", late),
    move("fill", whichever, st.sampled_from([Decimal("0.3"), Decimal(1)]), late),
    move("fill", whichever, st.sampled_from([Decimal("0.3"), Decimal(1)]), late),
    move("answer", whichever, st.booleans(), late),
    move("end", whichever, st.sampled_from([ExecType.CANCELED, ExecType.EXPIRED]), late),
    move("deliver", whichever),
    move("deliver_again", whichever),
    move("quote", symbols, st.integers(85, 115), st.sampled_from(["0", "0.10", "1"])),
)
decisions = st.one_of(
    move("limit", accounts, profiles),
    move("limit", accounts, profiles),
    move("limit_all", firm_profiles),
    move("set_state", scopes, st.sampled_from([*STATES, "ACTIVE"])),
    move("engage", scopes, st.booleans(), st.booleans()),
    move("release", whichever),
    move("release", whichever),
)
troubles = st.one_of(
    move("fail_a_commit", st.sampled_from(Fault)),
    move("hold_up_commits", st.booleans()),
    move("lose_what_is_sent", st.booleans(), st.booleans()),
)
