"""Peers that send half a frame, nonsense or nothing at all: everybody else is served as ever."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final

import pytest
import pytest_asyncio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from quantmesh.trading.v1.account_service_pb2 import (
    CreateAccountRequest,
    GetAccountRequest,
    ListAccountsRequest,
)
from tests.support.server import Client, ServerProcess, Site

_AT_ONCE: Final = 20
_FLOOD: Final = 200
_PATIENCE_SECONDS: Final = 10.0
_MOST_GROWTH_MIB: Final = 32
_SAME: Final = {"account_id": "demo", "broker": "paper", "base_currency": "USD"}


def _frame(kind: int, flags: int, stream: int, payload: bytes, announced: int | None = None) -> bytes:
    """An HTTP/2 frame, which may announce more than it has."""
    length = len(payload) if announced is None else announced
    return struct.pack("!I", length)[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A header that is spelled out."""
    return b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value


_DATA, _HEADERS, _SETTINGS, _END_HEADERS = 0, 1, 4, 4
_HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, b"")
_CALL: Final = _frame(
    _HEADERS,
    _END_HEADERS,
    1,
    b"\x83\x86"  # POST, http
    + _literal(b":path", b"/quantmesh.trading.v1.AccountService/CreateAccount")
    + _literal(b":authority", b"localhost")
    + _literal(b"content-type", b"application/grpc")
    + _literal(b"te", b"trailers"),
)
_MESSAGE: Final = CreateAccountRequest(account_id="half", broker="paper", base_currency="USD").SerializeToString()
_PREFIX: Final = b"\x00" + struct.pack("!I", len(_MESSAGE))

_SAYINGS: Final = {
    "nothing": b"",
    "half a preface": _HELLO[:10],
    "half a frame": _HELLO + _CALL[:-10],
    "half a message": _HELLO + _CALL + _frame(_DATA, 0, 1, _PREFIX + _MESSAGE[:10]),
    "a frame that is too large": _HELLO + _frame(_DATA, 0, 1, b"x" * 100, announced=2**24 - 1),
    "a call without headers": _HELLO + _frame(_DATA, 1, 7, b"data"),
    "another protocol": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "noise": bytes(range(256)) * 16,
}


def _fall_silent(peer: socket.socket) -> None:
    """Stay, and say no more."""


def _reset(peer: socket.socket) -> None:
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


_ENDS: Final[tuple[Callable[[socket.socket], None], ...]] = (_fall_silent, _reset, socket.socket.close)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with Site(tmp_path_factory.mktemp("site")).start() as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def client(server: ServerProcess) -> AsyncIterator[Client]:
    """Connected before the broken peers come."""
    async with server.client() as client:
        await client.accounts.CreateAccount(CreateAccountRequest(**_SAME))
        yield client


@pytest.mark.parametrize("end", _ENDS, ids=lambda end: end.__name__.strip("_"))
@pytest.mark.parametrize("said", _SAYINGS)
async def test_a_peer_that_breaks_off_harms_nobody_else(
    said: str, end: Callable[[socket.socket], None], server: ServerProcess, client: Client
) -> None:
    memory = server.resident_mib()
    peers = [_connected(server) for _ in range(_AT_ONCE)]
    for peer in peers:
        peer.sendall(_SAYINGS[said])
        end(peer)
    await _everything_is_as_ever(server, client)
    assert server.resident_mib() < memory + _MOST_GROWTH_MIB
    for peer in peers:
        peer.close()


async def test_a_flood_of_connections_that_say_nothing_keeps_nobody_out(server: ServerProcess, client: Client) -> None:
    memory = server.resident_mib()
    peers = [_connected(server) for _ in range(_FLOOD)]
    await _everything_is_as_ever(server, client)
    assert server.resident_mib() < memory + _MOST_GROWTH_MIB
    for peer in peers:
        peer.close()
    await _everything_is_as_ever(server, client)


def _connected(server: ServerProcess) -> socket.socket:
    host, _, port = server.address.partition(":")
    return socket.create_connection((host, int(port)), timeout=_PATIENCE_SECONDS)


async def _everything_is_as_ever(server: ServerProcess, known: Client) -> None:
    """For a caller who was there before, and for one who comes now."""
    async with server.client() as newcomer:
        for client in (known, newcomer):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                answer = await client.accounts.CreateAccount(CreateAccountRequest(**_SAME))
                health = await client.health.Check(HealthCheckRequest())
                account = (await client.accounts.GetAccount(GetAccountRequest(account_id="demo"))).account
                accounts = (await client.accounts.ListAccounts(ListAccountsRequest())).accounts
            assert answer.replayed
            assert health.status == HealthCheckResponse.SERVING
            assert account.sequence == 1
            assert [one.account_id for one in accounts] == ["demo"]
    assert server.log == ""
