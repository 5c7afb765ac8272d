"""The console command: `quantmesh serve` and `quantmesh demo`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from server.settings import Settings, SettingsError, load_settings, unknown_variables

_NEWCOMER = """\
quantmesh serves {services} on {address}. Stop it with Ctrl-C.

Try it from another terminal: create an account, watch its fills, place an order.

  grpcurl -plaintext -d '{{"account_id":"demo","broker":"paper","base_currency":"USD","starting_cash":"100000"}}' \\
    {address} quantmesh.trading.v1.AccountService/CreateAccount
  grpcurl -plaintext -d '{{"account_id":"demo","after_sequence":"0"}}' \\
    {address} quantmesh.trading.v1.OrderService/StreamFills
  grpcurl -plaintext -d '{{"account_id":"demo","order":{{"client_order_id":"c-1","symbol":"AAPL",
    "side":"SIDE_BUY","quantity":"10","market":{{}}}}}}' \\
    {address} quantmesh.trading.v1.OrderService/PlaceOrder
"""

app = typer.Typer(
    help="quantmesh: orders, accounts, risk and market data for other services, over gRPC.",
    no_args_is_help=True,
    rich_markup_mode=None,  # it takes a default in brackets for markup, and leaves it out
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command()
def serve(
    listen: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Where to listen. [127.0.0.1:50051]")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where SQLite keeps its file. [~/.local/state/quantmesh]")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(metavar="URL", help="postgresql://..., sqlite:///FILE or memory:, not the folder's."),
    ] = None,
    services: Annotated[
        str | None, typer.Option(metavar="NAMES", help="Which to serve. [trading,marketdata,strategy]")
    ] = None,
    reflection: Annotated[
        bool | None, typer.Option(help="Tell grpcurl the contract. [only when listening on loopback]")
    ] = None,
    log_level: Annotated[str | None, typer.Option(metavar="LEVEL", help="How much to log. [info]")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Settings in TOML. [quantmesh.toml]")] = None,
) -> None:
    """Serve until stopped by Ctrl-C or SIGTERM.

    Each option is also a setting in the environment (QUANTMESH_LISTEN, ...) and in the TOML file; the command line
    goes before the environment, and that before the file. Ready is when grpc.health.v1 says SERVING.

    Exit status: 0 stopped, 2 a setting cannot be used, 3 another server has taken over the database.
    """
    given = {
        "listen": listen,
        "data_dir": data_dir,
        "database": database,
        "services": services,
        "reflection": reflection,
        "log_level": log_level,
    }
    try:
        settings = load_settings(config, **given)
    except SettingsError as error:
        _complain(str(error))
        raise typer.Exit(2) from None
    for variable in unknown_variables(os.environ):
        _complain(f"{variable} in the environment is no setting, and is ignored")
    # What gRPC's core would print of a failure, the server says itself, in one line.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    # Here, so that --help and a wrong option are answered without loading gRPC and the database drivers.
    from server import process

    raise typer.Exit(process.serve(settings, lambda address: _announce(settings, address), _complain))


@app.command()
def demo(
    seconds: Annotated[float | None, typer.Option(help="How long to trade, about.", min=5)] = None,
) -> None:
    """Trade a realistic mix of orders, shown live.

    It starts a server of its own, on a port and a data folder that nobody else uses, and stops it at the end.
    """
    from server.demo.run import DEFAULT_SECONDS, run_demo

    raise typer.Exit(run_demo(DEFAULT_SECONDS if seconds is None else seconds))


def _announce(settings: Settings, address: str) -> None:
    typer.echo(_NEWCOMER.format(services=", ".join(settings.services), address=address))


def _complain(line: str) -> None:
    typer.echo(f"quantmesh: {line}", err=True)


def main() -> None:
    app()


if __name__ == "__main__":
    main()
