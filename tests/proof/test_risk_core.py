"""Whatever is asked, in whatever order, and whenever the server dies: nothing that passes a limit ever leaves."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.proof.machine import RiskCoreMachine
from tests.proof.plain_model import MODELLED

pytestmark = pytest.mark.timeout(300)

# Explaining a failure traces every line, which takes longer than the test may.
THOROUGH = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    phases=set(Phase) - {Phase.explain},
    suppress_health_check=list(HealthCheck),
)
# What 200 random runs reach differs from time to time; these differ only with the modules that are loaded, of which
# Hypothesis takes constants. What is rare by chance has a rule of the machine that leads to it.
FIXED = settings(THOROUGH, derandomize=True, database=None)


def test_nothing_that_passes_a_limit_ever_leaves() -> None:
    run_state_machine_as_test(RiskCoreMachine, settings=THOROUGH)


def test_every_limit_is_reached_on_the_way() -> None:
    RiskCoreMachine.seen.clear()
    run_state_machine_as_test(RiskCoreMachine, settings=FIXED)
    happened = {
        "accepted",
        "replaced",
        "proven",
        "submit",
        "replace",
        "cancel",
        "restart",
        "calm",
        "flattens",
        "waits",
        *MODELLED,
    }
    assert {what for what in happened if not RiskCoreMachine.seen[what]} == set()
    assert RiskCoreMachine.seen["step"] > 3_000
