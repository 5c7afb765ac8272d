"""The console command as an operator meets it."""

import re
import subprocess
from pathlib import Path
from typing import Final

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from quantmesh.marketdata.v1.market_data_query_pb2 import GetQuoteRequest
from quantmesh.trading.v1.account_service_pb2 import ListAccountsRequest
from tests.end_to_end.refusals import refusal
from tests.support.server import ServerProcess, Site, command, environment, free_port

_UNUSABLE: Final = 2
_SECONDS: Final = 30.0
_WIDE: Final = {"COLUMNS": "100"}


def _run(folder: Path, *arguments: str, **settings: object) -> subprocess.CompletedProcess[str]:
    """The command, run to its end; `settings` are those of the environment."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(**settings) | _WIDE,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )


# -- help --------------------------------------------------------------------------------------------------


def test_help_names_the_commands_with_a_sentence_each(tmp_path: Path) -> None:
    shown = _run(tmp_path, "--help")
    assert shown.returncode == 0
    assert re.search(r"^ +serve +Serve until stopped", shown.stdout, re.MULTILINE)
    assert re.search(r"^ +demo +\w", shown.stdout, re.MULTILINE)


def test_help_on_serve_names_each_option_with_its_default_and_where_else_it_can_be_set(tmp_path: Path) -> None:
    shown = re.sub(r"\s+", " ", _run(tmp_path, "serve", "--help").stdout)
    for option, default in (
        ("--listen HOST:PORT", "[127.0.0.1:50051]"),
        ("--data-dir DIR", "[~/.local/state/quantmesh]"),
        ("--database URL", ""),
        ("--services NAMES", "[trading,marketdata,strategy]"),
        ("--log-level LEVEL", "[info]"),
        ("--config FILE", "[quantmesh.toml]"),
    ):
        assert re.search(f"{re.escape(option)} [^-]*{re.escape(default)}", shown), option
    assert "QUANTMESH_LISTEN" in shown
    assert "TOML" in shown
    assert "Exit status" in shown


# -- what cannot be used -----------------------------------------------------------------------------------


def test_a_variable_that_looks_like_a_setting_and_is_none_is_named(tmp_path: Path) -> None:
    shown = _run(tmp_path, "serve", "--database", "mysql://root@localhost/x", listn="127.0.0.1:0")
    assert "QUANTMESH_LISTN in the environment is no setting, and is ignored" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--listen", "nonsense"], "listen"),
        (["--database", "mysql://root@localhost/x"], "database"),
        (["--database", "postgresql://nobody@127.0.0.1:1/x"], "database"),
        (["--services", "trading,nothing"], "services"),
        (["--config", "missing.toml"], "missing.toml"),
        (["--log-level", "loud"], "log_level"),
    ],
)
def test_an_option_that_cannot_be_used_ends_in_one_line_that_names_it(
    arguments: list[str], named: str, tmp_path: Path
) -> None:
    _assert_unusable(_run(tmp_path, "serve", "--data-dir", "data", *arguments, listen="127.0.0.1:0"), named)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"paper_lose_rate": "2"}, "paper.lose_rate"),
        ({"watch_answer_timeout": "soon"}, "watch.answer_timeout"),
        ({"clock_speed": "0"}, "clock_speed"),
    ],
)
def test_a_setting_that_cannot_be_used_ends_in_one_line_that_names_it(
    settings: dict[str, str], named: str, tmp_path: Path
) -> None:
    _assert_unusable(_run(tmp_path, "serve", listen="127.0.0.1:0", data_dir="data", **settings), named)


@pytest.mark.parametrize("content", ["nothing = 1", "listen = 5", "no TOML"])
def test_a_settings_file_that_cannot_be_used_ends_in_one_line(content: str, tmp_path: Path) -> None:
    (tmp_path / "quantmesh.toml").write_text(content)
    _assert_unusable(_run(tmp_path, "serve", data_dir="data"), "")


def test_a_port_in_use_ends_in_one_line_and_leaves_the_server_that_has_it_alone(tmp_path: Path) -> None:
    with Site(tmp_path).start() as first:
        _assert_unusable(_run(tmp_path, "serve", listen=first.address, data_dir="data"), first.address)
        assert first.ready().running


def test_a_data_folder_that_cannot_be_written_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    _assert_unusable(_run(tmp_path, "serve", listen="127.0.0.1:0", data_dir="file/below"), "data_dir")


def test_an_option_that_does_not_exist_is_named(tmp_path: Path) -> None:
    refused = _run(tmp_path, "serve", "--nothing")
    assert refused.returncode == _UNUSABLE
    assert "--nothing" in refused.stderr


def _assert_unusable(ended: subprocess.CompletedProcess[str], named: str) -> None:
    assert ended.returncode == _UNUSABLE, ended
    assert re.fullmatch(r"quantmesh: [^\n]+\n", ended.stderr), ended.stderr
    assert named in ended.stderr
    assert ended.stdout == ""


# -- what can ----------------------------------------------------------------------------------------------


async def test_the_command_line_goes_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    port, elsewhere = free_port(), free_port()
    (tmp_path / "quantmesh.toml").write_text(
        f'listen = "127.0.0.1:{elsewhere}"\nservices = "marketdata"\n[simulation]\nseed = 7\n[paper]\nseed = 5\n'
    )
    arguments = ("--listen", f"127.0.0.1:{port}", "--data-dir", "data")
    given = environment(listen=f"127.0.0.1:{elsewhere}", services="trading,marketdata")
    with ServerProcess(tmp_path, f"127.0.0.1:{port}", given, *arguments) as server:
        async with server.client() as client:
            await client.accounts.ListAccounts(ListAccountsRequest())
    assert (tmp_path / "data" / "quantmesh.db").exists()


async def test_a_server_of_market_data_alone_has_nothing_else_and_makes_no_database_of_orders(
    tmp_path: Path,
) -> None:
    with Site(tmp_path, settings={"services": "marketdata"}).start() as server:
        async with server.client() as client:
            quotes = await client.market.GetQuote(GetQuoteRequest(symbol="AAPL"))
            assert quotes.quote.symbol == "AAPL"
            health = await client.health.Check(HealthCheckRequest(service="quantmesh.marketdata.v1.MarketDataService"))
            assert health.status == HealthCheckResponse.SERVING
            with pytest.raises(grpc.aio.AioRpcError) as unknown:
                await client.health.Check(HealthCheckRequest(service="quantmesh.trading.v1.OrderService"))
            assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
            with pytest.raises(grpc.aio.AioRpcError) as missing:
                await client.accounts.ListAccounts(ListAccountsRequest())
            assert refusal(missing.value).reason == "NOT_IMPLEMENTED"
    assert not (tmp_path / "data" / "quantmesh.db").exists()
