"""What the pre-trade rules cost: one evaluation of a whole profile in process."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from timeit import Timer

from domain.risk.aggregates.risk_profile import RiskProfile
from domain.risk.services.pre_trade_check import Situation, check, passes
from domain.trading.value_objects.order_type import Side, TimeInForce
from tests.benchmarks.bench import Bench
from tests.benchmarks.processes import BenchmarkFailed
from tests.benchmarks.report import Row
from tests.support.situations import START, order, within_every_limit

_TARGET_MICROSECONDS = 15.0
_EVALUATIONS = 500
_RUNS = 100


def of_a_whole_profile(bench: Bench) -> Iterator[Row]:
    """Every limit set and kept; the yardstick is the target, so a ratio of 1 is just fast enough."""
    whole = _whole()
    bare = replace(whole, profile=RiskProfile("acct"))
    for measure, situation, evaluate, at_most in (
        ("every limit set", whole, passes, 1.0),
        ("no limit set", bare, passes, 1.0),
        ("every limit set, explained", whole, check, None),
    ):
        times = _microseconds(bench, situation, evaluate)
        target = [_TARGET_MICROSECONDS] * len(times)
        yield Row("one evaluation of the rules", measure, "us", target, times, against="target", at_most=at_most)


def _whole() -> Situation:
    """A sell, since only that has something to say to each rule."""
    sell = order(
        Side.SELL,
        quantity=50,
        price="50.20",
        post_only=True,
        strategy_id="s",
        time_in_force=TimeInForce.GTD,
        expire_time=START + timedelta(days=1),
    )
    situation = within_every_limit(sell)
    if not passes(situation):
        failed = [result.message for result in check(situation) if not result.passed]
        raise BenchmarkFailed(f"the order is not within every limit: {failed}")
    return situation


def _microseconds(bench: Bench, situation: Situation, evaluate: Callable[[Situation], object]) -> Sequence[float]:
    """Each evaluation starts with nothing measured. A round is its best of many short runs: a process on the same
    core that cuts in is no cost of the rules.
    """

    def afresh() -> None:
        situation.measured = None
        evaluate(situation)

    runs = bench.sized(_RUNS)
    return [min(Timer(afresh).repeat(runs, _EVALUATIONS)) / _EVALUATIONS * 1e6 for _ in range(bench.rounds)]
