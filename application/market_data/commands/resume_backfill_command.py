"""Go on with a backfill that was canceled or has failed."""

from dataclasses import dataclass

from application.market_data.backfill import Backfill, BackfillState
from application.market_data.backfill_runner import BackfillRunner

_RESUMABLE = frozenset({BackfillState.CANCELED, BackfillState.FAILED})


@dataclass(frozen=True, slots=True)
class ResumeBackfill:
    """Any other stays as it is. Raises NotFound: BACKFILL_NOT_FOUND; Unavailable."""

    backfill_id: str

    async def carry_out(self, runner: BackfillRunner) -> Backfill:
        while True:
            backfill = await runner.board.get(self.backfill_id)
            if backfill.state not in _RESUMABLE:
                return backfill
            resumed = await runner.board.save(backfill.resumed(runner.market.clock.now()))
            if resumed is not None:  # else somebody else has resumed it
                runner.wake()
                return resumed
