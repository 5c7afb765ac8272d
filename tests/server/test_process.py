"""`quantmesh serve` as a process: what it prints, how it stops, and its exit status."""

import asyncio
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import grpc
import pytest

from quantmesh.trading.v1.account_service_pb2 import CreateAccountRequest
from quantmesh.trading.v1.order_placement_pb2 import PlaceOrderRequest
from quantmesh.trading.v1.order_session_pb2 import OpenSession, OrderSessionRequest, PlaceCommand
from quantmesh.trading.v1.order_stream_pb2 import StreamFillsRequest, StreamOrderEventsRequest
from tests.server.rig import limit, rest, within
from tests.support.parts import program
from tests.support.server import Client, Site, command, environment

DEMO = CreateAccountRequest(account_id="demo", broker="paper", base_currency="USD", starting_cash="100000")


def run(*arguments: str, folder: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), env=environment(**settings), cwd=folder, capture_output=True, text=True, timeout=30
    )


async def ready_account(client: Client) -> None:
    await client.accounts.CreateAccount(DEMO)


def order(client_order_id: str, **more: Any) -> Any:
    fields: dict[str, Any] = {"symbol": "AAPL", "quantity": "1", "price": "1"}
    return limit(client_order_id, **fields | more)


async def test_sigterm_ends_streams_and_sessions_well_and_exits_with_0(tmp_path: Path) -> None:
    with Site(tmp_path).start() as server:
        async with server.client() as client:
            await ready_account(client)
            events = client.orders.StreamOrderEvents(StreamOrderEventsRequest(account_id="demo", after_sequence=0))
            fills = client.orders.StreamFills(StreamFillsRequest(account_id="demo"))
            session = client.orders.OrderSession()
            await session.write(OrderSessionRequest(command_id="o", open=OpenSession(account_id="demo")))
            await session.write(OrderSessionRequest(command_id="p", place=PlaceCommand(order=order("p"))))
            for stream in (events, fills, session, session):
                await within(stream.read())
            server.signal(signal.SIGTERM)
            for stream, oneof in ((events, "message"), (fills, "message"), (session, "answer")):
                *_, last = await rest(stream)
                assert last.WhichOneof(oneof) == "goodbye"
                assert await stream.code() is grpc.StatusCode.OK
            assert last.goodbye.sequence >= 2
        assert await asyncio.to_thread(server.exit_status, 10) == 0
        assert "Traceback" not in server.log


async def test_sigterm_under_load_answers_or_refuses_every_order_and_loses_none(tmp_path: Path) -> None:
    site = Site(tmp_path)
    answered: list[str] = []
    refusals: set[grpc.StatusCode] = set()
    with site.start() as server:
        async with server.client() as client:
            await ready_account(client)

            async def trade(trader: int) -> None:
                for i in range(10_000):
                    request = PlaceOrderRequest(account_id="demo", order=order(f"{trader}-{i}"))
                    call = client.orders.PlaceOrder(request)
                    if await call.code() is not grpc.StatusCode.OK:
                        refusals.add(await call.code())
                        return
                    answered.append((await call).order.order_id)

            traders = [asyncio.create_task(trade(i)) for i in range(8)]
            await asyncio.sleep(0.5)
            server.signal(signal.SIGTERM)
            await within(asyncio.gather(*traders), 12)
        assert refusals == {grpc.StatusCode.UNAVAILABLE}
        assert await asyncio.to_thread(server.exit_status, 10) == 0
    with site.start() as server:
        async with server.client() as client:
            stored = client.orders.StreamOrderEvents(StreamOrderEventsRequest(account_id="demo", after_sequence=0))
            missing = set(answered)
            assert missing
            while missing:
                missing.discard((await within(stored.read())).event.order.order_id)


async def test_a_server_that_is_taken_over_stops_by_itself_with_3(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'shared.db'}"
    first_site, second_site = Site(tmp_path, database), Site(tmp_path, database)
    with first_site.start() as first:
        async with first.client() as client:
            await ready_account(client)
            with second_site.start():
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await client.orders.PlaceOrder(PlaceOrderRequest(account_id="demo", order=order("late")))
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
                assert await asyncio.to_thread(first.exit_status, 10) == 3
        assert "quantmesh: another server has taken over the database" in first.log


async def test_a_crash_point_kills_the_process_there(tmp_path: Path) -> None:
    with Site(tmp_path).start(crash_at="ack:2") as server:
        async with server.client() as client:
            await ready_account(client)
            with pytest.raises(grpc.aio.AioRpcError):
                await client.orders.PlaceOrder(PlaceOrderRequest(account_id="demo", order=order("x")))
        assert await asyncio.to_thread(server.exit_status, 10) == -signal.SIGKILL


def test_what_cannot_be_used_ends_with_2_and_one_line(tmp_path: Path) -> None:
    with Site(tmp_path).start() as server:
        cases: list[tuple[tuple[str, ...], dict[str, object], str]] = [
            (("--listen", server.address), {"database": "memory:"}, f"listen: {server.address} cannot be had"),
            (("--data-dir", "/dev/null/x"), {"listen": "127.0.0.1:0"}, "data_dir: /dev/null/x cannot be made"),
            (("--config", "missing.toml"), {}, "missing.toml: cannot be read"),
        ]
        for arguments, settings, says in cases:
            ended = run("serve", *arguments, folder=tmp_path, **settings)
            assert ended.returncode == 2, ended
            assert ended.stderr.startswith(f"quantmesh: {says}"), ended.stderr
            assert len(ended.stderr.splitlines()) == 1
            assert ended.stdout == ""
        assert server.running


def test_help_tells_the_commands_and_their_options(tmp_path: Path) -> None:
    assert {"serve", "demo"} <= set(run("--help", folder=tmp_path).stdout.split())
    serve = run("serve", "--help", folder=tmp_path)
    assert serve.returncode == 0
    for option in ("--listen", "--data-dir", "--database", "--services", "--config"):
        assert option in serve.stdout
    assert run("serve", "--nonsense", folder=tmp_path).returncode == 2


@pytest.mark.requires("grpcurl")
def test_the_lines_for_a_newcomer_work_as_they_are_printed(tmp_path: Path) -> None:
    printed = tmp_path / "printed"
    settings = environment(listen="127.0.0.1:0", data_dir=tmp_path)
    with (
        printed.open("w") as output,
        subprocess.Popen(command("serve"), env=settings, cwd=tmp_path, stdout=output) as server,
    ):
        try:
            create, watch, place = _printed_commands(printed)
            assert '"account_id": "demo"' in _shell(create)
            assert '"client_order_id": "c-1"' in _shell(place)
            assert '"fill_id"' in _shell(watch.replace("grpcurl", "grpcurl -max-time 2", 1))
        finally:
            server.terminate()
    assert server.returncode == 0


def _printed_commands(printed: Path) -> list[str]:
    for _ in range(300):
        if printed.read_text().endswith("PlaceOrder\n\n"):
            break
        time.sleep(0.05)
    _, *lines = printed.read_text().split("\n  grpcurl")
    return ["grpcurl" + line for line in lines]


def _shell(line: str) -> str:
    line = line.replace("grpcurl", str(program("grpcurl")), 1)
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30)  # noqa: S602 # as a person would
    return done.stdout
