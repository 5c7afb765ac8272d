"""The README does not promise what is not so: its commands run, and its tables say what the server says."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor

from quantmesh.marketdata.v1 import market_data_service_pb2
from quantmesh.risk.v1 import risk_service_pb2
from quantmesh.strategy.v1 import strategy_service_pb2
from quantmesh.trading.v1 import account_service_pb2, order_service_pb2
from server.settings import Settings
from tests.support.parts import program
from tests.support.server import Site

_ROOT: Final = Path(__file__).parents[2]
_README: Final = (_ROOT / "README.md").read_text(encoding="utf-8")
_COOKBOOK: Final = _README.partition("## Calling it with grpcurl")[2].partition("## What is guaranteed")[0]
_STATUS: Final = _README.partition("## Status of each RPC")[2].partition("Limits within")[0]
_ADDRESS: Final = "127.0.0.1:50051"
_SWITCH_ID: Final = re.compile(r'"(kill_switch_id|dead_man_switch_id)": ?"(\w+)"')
_STREAM_SECONDS: Final = 4
_CALL_SECONDS: Final = 20
# grpcurl's exit status is 64 and the gRPC code: a stream is ended by its deadline.
_DEADLINE_EXCEEDED: Final = 68

_SERVICES: Final[tuple[ServiceDescriptor, ...]] = (
    order_service_pb2.DESCRIPTOR.services_by_name["OrderService"],
    account_service_pb2.DESCRIPTOR.services_by_name["AccountService"],
    risk_service_pb2.DESCRIPTOR.services_by_name["RiskService"],
    market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"],
    strategy_service_pb2.DESCRIPTOR.services_by_name["StrategyService"],
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Site(tmp_path_factory.mktemp("readme")).start() as running:
        yield running.address


@pytest.mark.requires("grpcurl")
def test_every_command_of_the_cookbook_does_what_it_says(address: str) -> None:
    commands = [command for block in _blocks("sh") for command in _commands(block)]
    assert len(commands) >= 60
    given: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        streams = []
        for command in (_with_ids(command, given) for command in commands):
            if _never_ends(command):
                streams.append((command, pool.submit(_run, command, address, _STREAM_SECONDS)))
                continue
            done = _run(command, address, _CALL_SECONDS)
            assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
            given |= _SWITCH_ID.findall(done.stdout)
        for command, stream in streams:
            ended = stream.result()
            assert ended.returncode == _DEADLINE_EXCEEDED, f"{shlex.join(command)}\n{ended.stderr}"
            assert ended.stdout, shlex.join(command)
    (failing,) = _blocks("console")
    command_line, _, shown = failing.partition("\nERROR:")
    (command,) = _commands(command_line.removeprefix("$ "))
    refused = _run(command, address, _CALL_SECONDS)
    for line in re.findall(r'^.*(?:Code:|"@type"|"reason"|"type"|"client_order_id").*$', shown, re.MULTILINE):
        assert line.strip() in refused.stderr


def test_the_status_of_each_rpc_is_what_the_server_says(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        for service in _SERVICES:
            built, unbuilt = _status_row(service)
            names = {method.name for method in service.methods}
            answered = {name for name in names if _is_built(channel, f"/{service.full_name}/{name}")}
            assert (built, unbuilt) == (answered, names - answered)


def test_every_setting_is_in_the_table() -> None:
    for name in Settings.model_fields.keys() - {"crash_at"}:  # for tests alone
        assert re.search(rf"^\| `\[?{name}\]?` \|", _README, re.MULTILINE), name


def test_the_versions_of_the_dependencies_are_those_that_are_pinned() -> None:
    locked = (_ROOT / "requirements/service.txt").read_text()
    for line in (_ROOT / "requirements/service.in").read_text().splitlines():
        name = re.match(r"[a-z0-9-]*", line)
        assert name is not None
        if not name[0]:
            continue
        row = re.search(rf"^\| {name[0]} \| (.*?) \|", _README, re.MULTILINE)
        assert row is not None, f"{name[0]} is not in the README"
        for version in re.findall(rf"^{name[0]}(?:\[.*?\])?==(\S+)", locked, re.MULTILINE):
            assert version in row[1], f"{name[0]} is pinned to {version}"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _COOKBOOK, re.MULTILINE | re.DOTALL)


def _commands(block: str) -> Iterator[list[str]]:
    """The arguments of each grpcurl command, without its name."""
    words: list[str] = []
    for word in shlex.split(block.replace("\\\n", " ")):
        if word == "grpcurl":
            if words:
                yield words
            words = []
        else:
            words.append(word)
    yield words


def _with_ids(command: Sequence[str], given: Mapping[str, str]) -> list[str]:
    """The command with the ids of switches that this server gave, where the README shows those of another."""
    return [
        _SWITCH_ID.sub(lambda shown: f'"{shown[1]}":"{given[shown[1]]}"', argument) if given else argument
        for argument in command
    ]


def _never_ends(command: Sequence[str]) -> bool:
    return re.search(r"/(Stream(?!Backfill)\w+|Subscribe)$", command[-1]) is not None


def _run(command: Sequence[str], address: str, seconds: int) -> subprocess.CompletedProcess[str]:
    arguments = [address if argument == _ADDRESS else argument for argument in command]
    return subprocess.run(
        [program("grpcurl"), "-max-time", str(seconds), *arguments],
        capture_output=True,
        text=True,
        timeout=seconds + _CALL_SECONDS,
    )


def _status_row(service: ServiceDescriptor) -> tuple[set[str], set[str]]:
    """The RPCs that the README calls built, and the others."""
    row = re.search(rf"^\| {service.full_name.removeprefix('quantmesh.')} \|(.*)\|(.*)\|$", _STATUS, re.MULTILINE)
    assert row is not None
    return set(re.findall(r"\w+", row[1])), set(re.findall(r"\w+", row[2]))


def _is_built(channel: grpc.Channel, method: str) -> bool:
    """Whether the server knows what to do with an empty request, were it to refuse it."""
    begin: Any = channel.stream_stream(method)
    call = begin(iter([b""]), timeout=_CALL_SECONDS)
    try:
        next(call)
    except StopIteration:
        return True
    except grpc.RpcError:
        return call.code() is not grpc.StatusCode.UNIMPLEMENTED
    finally:
        call.cancel()
    return True
