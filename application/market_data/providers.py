"""The providers of the process: which there are, what each lacks, and which one serves an instrument."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from application.ports.market_data import Capabilities, MarketData
from domain.errors import NotFound, PreconditionFailed, Violation


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a provider cannot serve: a clause such as "no key is set", and the one line that helps."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A provider that may never be asked: until then `open` is not called, so its SDK is not imported.

    `lack` looks without importing; `open` may take seconds, and runs on a thread.
    """

    name: str
    display_name: str
    capabilities: Capabilities
    lack: Callable[[], Lack | None]
    open: Callable[[], MarketData]


class Providers:
    """`routes` are pairs of a symbol pattern (`*` and `?` as in file names) and a provider: the first that
    matches wins, and `default` serves the rest.
    """

    def __init__(self, offers: Sequence[Offer], default: str, routes: Sequence[tuple[str, str]] = ()) -> None:
        self._offers: Mapping[str, Offer] = {offer.name: offer for offer in sorted(offers, key=lambda one: one.name)}
        self._routes = tuple(routes)
        self._open: dict[str, asyncio.Task[MarketData]] = {}
        self.default = default
        for name in (default, *(name for _, name in routes)):
            self.offer(name)

    def offers(self) -> Sequence[Offer]:
        """All of them, by name."""
        return tuple(self._offers.values())

    def offer(self, name: str) -> Offer:
        """Raises NotFound: PROVIDER_NOT_FOUND."""
        try:
            return self._offers[name]
        except KeyError:
            raise NotFound(
                f"provider: no provider {name!r} here; there are {', '.join(self._offers)}",
                reason="PROVIDER_NOT_FOUND",
                provider=name,
            ) from None

    def name_for(self, symbol: str) -> str:
        """The provider that serves the symbol when nobody names one."""
        return next((name for pattern, name in self._routes if fnmatchcase(symbol, pattern)), self.default)

    def in_use(self) -> Sequence[str]:
        """The default and those that are routed to: whose instruments the catalogue has."""
        return tuple(dict.fromkeys((self.default, *(name for _, name in self._routes))))

    async def get(self, name: str) -> MarketData:
        """The provider, opened when it is asked for the first time.

        Raises NotFound: PROVIDER_NOT_FOUND; PreconditionFailed: PROVIDER_NOT_CONFIGURED.
        """
        offer = self.offer(name)
        lack = offer.lack()
        if lack is not None:
            violation = Violation("PROVIDER_NOT_CONFIGURED", name, f"{lack.reason}: {lack.remedy}")
            raise PreconditionFailed(
                f"provider: {name} is not available: {lack.reason}: {lack.remedy}",
                [violation],
                reason="PROVIDER_NOT_CONFIGURED",
                provider=name,
            )
        task = self._open.get(name)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._open[name] = asyncio.create_task(asyncio.to_thread(offer.open), name=f"open {name}")
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Close those that were opened."""
        for task in self._open.values():
            if task.done() and not task.cancelled() and task.exception() is None:
                await task.result().close()
            task.cancel()
        self._open.clear()
