"""End a backfill; what is stored stays."""

from dataclasses import dataclass

from application.market_data.backfill import Backfill, BackfillState
from application.market_data.backfill_runner import BackfillRunner


@dataclass(frozen=True, slots=True)
class CancelBackfill:
    """One that has ended stays as it is. Raises NotFound: BACKFILL_NOT_FOUND; Unavailable."""

    backfill_id: str

    async def carry_out(self, runner: BackfillRunner) -> Backfill:
        while True:
            backfill = await runner.board.get(self.backfill_id)
            if backfill.ended:
                return backfill
            now = runner.market.clock.now()
            canceled = await runner.board.save(backfill.finished(BackfillState.CANCELED, now))
            if canceled is not None:  # else it has made progress meanwhile
                runner.drop(self.backfill_id)
                return canceled
