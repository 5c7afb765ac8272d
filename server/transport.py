"""The gRPC server itself: its options, its services in one table, reflection."""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection import aio as reflection

from server.health import HealthService
from server.interceptors.audit import Audit
from server.interceptors.handlers import Handler, Router, service_handlers
from server.interceptors.tracking import Lifecycle
from server.settings import SettingsError

# Twice what the handlers take: up to here a refusal can say why, beyond it gRPC itself refuses without details.
_LARGEST_MESSAGE: Final = 8 * 1024 * 1024
# A burst of calls waits for its turn: beyond this, and by default from 1,000 on, gRPC cuts calls without a word.
_MOST_WAITING_CALLS: Final = 100_000

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # else a second server binds the same port without a word
    ("grpc.http2.lookahead_bytes", 65_536),  # with the next: a stalled reader costs little memory
    ("grpc.http2.bdp_probe", 0),
    ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
    ("grpc.server.max_pending_requests", _MOST_WAITING_CALLS),
    ("grpc.server.max_pending_requests_hard_limit", _MOST_WAITING_CALLS),
    ("grpc.keepalive_time_ms", 30_000),  # a peer that is gone without a word is noticed within 40 s
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # what callers' own keepalives may do
)

_HEALTH: Final[Any] = health_pb2.DESCRIPTOR.services_by_name["Health"]
# The messages of reflection's v1 are those of its v1alpha; grpcurl asks for v1 first.
_REFLECTION: Final = ("grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection")


class Transport:
    """Listens as soon as it is made, answers from `start` on."""

    def __init__(
        self,
        address: tuple[str, int],
        services: Mapping[ServiceDescriptor, object],
        lifecycle: Lifecycle,
        health: HealthService,
        reflect: bool | None,
        audit: Audit | None = None,
    ) -> None:
        """Raises SettingsError when the address cannot be had. `reflect`: None means only on loopback. `audit` records
        the calls that change something.
        """
        handlers = service_handlers(_HEALTH, health, lifecycle, while_stopping=True)
        for descriptor, servicer in services.items():
            handlers |= service_handlers(descriptor, servicer, lifecycle, audit)
        if _is_loopback(address[0]) if reflect is None else reflect:
            handlers |= _reflection_handlers([descriptor.full_name for descriptor in (_HEALTH, *services)])
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((Router(handlers),))
        host, port = address
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = self._server.add_insecure_port(target)
        except RuntimeError:
            raise SettingsError(f"listen: {target} cannot be had: in use, or not of this machine") from None
        self.address = target.removesuffix(f":{port}") + f":{bound}"

    async def start(self) -> None:
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """Take no more connections, and after `grace` seconds cut the calls that are still under way."""
        await self._server.stop(grace)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Symbols:
    """All that is known of the contract. grpcurl asks for methods too, which protobuf's own pool does not find so."""

    def __init__(self) -> None:
        self._pool = descriptor_pool.Default()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802 # the pool's name for it
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            return self._pool.FindMethodByName(symbol).containing_service.file


def _reflection_handlers(services: list[str]) -> dict[str, Handler]:
    servicer = reflection.ReflectionServicer([*services, *_REFLECTION], _Symbols())
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        reflection_pb2.ServerReflectionRequest.FromString,
        reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return {f"/{service}/ServerReflectionInfo": handler for service in _REFLECTION}
