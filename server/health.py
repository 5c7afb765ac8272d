"""grpc.health.v1: whether each service is ready, told on request and as it changes."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from grpc_health.v1 import health_pb2

from domain.errors import NotFound
from server.interceptors.handlers import Context

_Response = health_pb2.HealthCheckResponse
SERVING: Final = _Response.SERVING
NOT_SERVING: Final = _Response.NOT_SERVING


class HealthService:
    """One state for all services of the process, which start and stop together; "" is the process as a whole."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = frozenset(("", *services))
        self._status: Any = NOT_SERVING
        self._changed = asyncio.Event()
        self._over = False

    def set(self, status: Any) -> None:
        self._status = status
        self._changed.set()
        self._changed = asyncio.Event()

    def stop(self) -> None:
        """Say NOT_SERVING to whoever asks, and as a last word to whoever watches."""
        self._over = True
        self.set(NOT_SERVING)

    async def Check(self, request: health_pb2.HealthCheckRequest, context: Context) -> Any:  # noqa: N802 # the protocol's name
        if request.service not in self._services:
            raise NotFound(
                f"service: {request.service!r} is not served here", reason="SERVICE_NOT_FOUND", service=request.service
            )
        return _Response(status=self._status)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> AsyncIterator[Any]:  # noqa: N802
        told = None
        while True:
            status = self._status if request.service in self._services else _Response.SERVICE_UNKNOWN
            if status != told:
                told = status
                yield _Response(status=status)
            if self._over:
                return
            await self._changed.wait()
