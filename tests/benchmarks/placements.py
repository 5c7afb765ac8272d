"""PlaceOrder as a load: on the echo, and with the same messages on us."""

from collections.abc import Sequence
from typing import NamedTuple

from quantmesh.risk.v1.risk_profile_pb2 import RiskProfile
from quantmesh.risk.v1.risk_profile_update_pb2 import UpdateRiskProfileRequest
from quantmesh.risk.v1.risk_service_pb2_grpc import RiskServiceStub
from tests.benchmarks.bench import Bench, Pair
from tests.benchmarks.contract import placements, write_messages
from tests.benchmarks.ghz import Load
from tests.benchmarks.processes import create_accounts


class Shape(NamedTuple):
    """So many calls, from so many callers at once, over so many connections."""

    calls: int
    callers: int
    connections: int


# 64 callers are as many as one transaction of the account's writer takes in.
MANY_CALLERS = Shape(8_000, 64, 8)
ONE_CALLER = Shape(1_000, 1, 1)


class PlaceOrderLoads:
    """Each turn has orders of its own. `accounts` take them by turns."""

    def __init__(
        self, bench: Bench, pair: Pair, accounts: int, shape: Shape, limits: RiskProfile | None = None
    ) -> None:
        self.accounts = create_accounts(pair.channel, accounts)
        for account in self.accounts if limits else ():
            RiskServiceStub(pair.channel).UpdateRiskProfile(
                UpdateRiskProfileRequest(account_id=account, risk_profile=limits)
            )
        self._bench, self._pair = bench, pair
        self._messages = pair.folder / "orders.bin"
        self._shape = shape._replace(calls=bench.sized(shape.calls))

    def on_echo(self) -> Load:
        write_messages(self._messages, placements(self.accounts, self._shape.calls))
        return self._bench.ghz.load(self._pair.echo, "PlaceOrder", self._messages, *self._shape)

    def on_ours(self) -> Load:
        """To be called after `on_echo`."""
        return self._bench.ghz.load(self._pair.ours, "PlaceOrder", self._messages, *self._shape)


def rates(loads: Sequence[Load]) -> list[float]:
    return [load.calls_a_second for load in loads]


def cpu(loads: Sequence[Load]) -> list[float]:
    return [load.cpu_us_a_call for load in loads]


def percentiles(loads: Sequence[Load], percent: float) -> list[float]:
    return [load.percentile(percent) for load in loads]
