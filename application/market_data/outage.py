"""The time in which a provider does not answer: decisions do not wait for it, and it is asked apart from them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from application.market_data.board_settings import BoardSettings
from application.ports.clock import Clock
from domain.errors import DomainError, Throttled

_log = logging.getLogger(__name__)


class Outage:
    """It is told once when it begins and once when it ends. `probe` asks the provider, and gives what it failed of."""

    def __init__(
        self, provider: str, clock: Clock, settings: BoardSettings, probe: Callable[[], Awaitable[DomainError | None]]
    ) -> None:
        self.lasts = False
        self._closed = False
        self._provider = provider
        self._clock = clock
        self._settings = settings
        self._probe = probe
        self._task: asyncio.Task[None] | None = None

    def began(self, error: DomainError) -> None:
        """The provider failed; nothing happens when that is known."""
        if self.lasts:
            return
        self.lasts = True
        _log.warning("quotes of %s cannot be refreshed: %s", self._provider, error.message)
        self._task = asyncio.create_task(self._run(error), name=f"outage of {self._provider}")

    def ended(self) -> None:
        """The provider answered."""
        if self.lasts and not self._closed:
            self.lasts = False
            self._cancel()
            _log.info("quotes of %s are refreshed again", self._provider)

    def close(self) -> list[asyncio.Task[None]]:
        """From now on as in an outage that nobody tries to end. Gives the task that has been told to end."""
        self.lasts = self._closed = True
        return self._cancel()

    def _cancel(self) -> list[asyncio.Task[None]]:
        task, self._task = self._task, None
        if task is None:
            return []
        task.cancel()
        return [task]

    async def _run(self, error: DomainError) -> None:
        wait, failed = self._settings.retry_seconds, error
        while True:
            asked_to_wait = failed.retry_after_seconds if isinstance(failed, Throttled) else 0.0
            await self._clock.sleep(max(wait, asked_to_wait))
            wait = min(2 * wait, self._settings.longest_retry_seconds)
            again = await self._probe()
            if again is None:
                break
            failed = again
        self.ended()
