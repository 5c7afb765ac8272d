"""What can be set, and from where: the command line before QUANTMESH_* in the environment before a TOML file."""

import json
import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args

from pydantic import Field, TypeAdapter, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

Service = Literal["trading", "marketdata", "strategy"]

SERVICES: Final = get_args(Service)
CONFIG_FILE: Final = Path("quantmesh.toml")

T = TypeVar("T")


class SettingsError(Exception):
    """A setting that cannot be used; the message is one line that names it."""


def default_data_dir() -> Path:
    """Where a service of this user keeps its state, by the XDG convention: outside of any checkout."""
    state_home = os.environ.get("XDG_STATE_HOME")
    return (Path(state_home) if state_home else Path.home() / ".local" / "state") / "quantmesh"


class Settings(BaseSettings):
    """Everything that can be set.

    In the environment QUANTMESH_LISTEN sets `listen`, and QUANTMESH_PAPER_SEED sets `seed` of the group `paper`,
    which in TOML is `[paper]`. The groups are read by what they configure.
    """

    model_config = SettingsConfigDict(
        env_prefix="QUANTMESH_", env_nested_delimiter="_", env_nested_max_split=1, extra="forbid"
    )

    listen: str = Field("127.0.0.1:50051", description="HOST:PORT; port 0 takes a free one")
    data_dir: Path = Field(default_factory=default_data_dir, description="where SQLite keeps its file")
    database: str = Field("", description="URL of the database; empty: SQLite in the data folder")
    services: Annotated[tuple[Service, ...], NoDecode] = Field(
        SERVICES, min_length=1, description="which to serve, separated by commas"
    )
    reflection: bool | None = Field(None, description="gRPC reflection; unset: on when listening on loopback")
    clock_speed: float = Field(1.0, gt=0, description="seconds of the simulated day that pass in a real one")
    clock_start: datetime | None = Field(None, description="when the simulated day begins, UTC; unset: now")
    shutdown_seconds: float = Field(5.0, gt=0, le=9, description="what calls under way get to end at a shutdown")
    max_streams: int = Field(10_000, ge=1, description="streams that callers of one address may have open")
    switch_interval: float = Field(0.0005, gt=0, description="seconds a thread may keep the interpreter to itself")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="how much to log")
    crash_at: str = Field("", description="for tests alone: POINT or POINT:N, where the process kills itself")

    watch: dict[str, Any] = Field(default_factory=dict, description="WatchSettings: how long brokers may be silent")
    paper: dict[str, Any] = Field(default_factory=dict, description="PaperSettings: the paper broker")
    market: dict[str, Any] = Field(default_factory=dict, description="MarketSettings: which provider serves what")
    board: dict[str, Any] = Field(default_factory=dict, description="BoardSettings: how fresh quotes are kept")
    simulation: dict[str, Any] = Field(default_factory=dict, description="SimulationSettings: the simulated market")
    replay: dict[str, Any] = Field(default_factory=dict, description="ReplaySettings: recorded market data in files")
    yfinance: dict[str, Any] = Field(default_factory=dict, description="YfinanceSettings: Yahoo Finance")
    polygon: dict[str, Any] = Field(default_factory=dict, description="PolygonSettings: polygon.io")
    alpaca: dict[str, Any] = Field(default_factory=dict, description="AlpacaSettings: Alpaca's market data")
    ccxt: dict[str, Any] = Field(default_factory=dict, description="CcxtSettings: one exchange of ccxt's")
    remote: dict[str, Any] = Field(default_factory=dict, description="RemoteSettings: another quantmesh")

    @field_validator("services", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value

    @field_validator("clock_start")
    @classmethod
    def _utc(cls, value: datetime | None) -> datetime | None:
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        host, found, port = self.listen.rpartition(":")
        if not found or not host or not port.isdecimal() or int(port) > 65_535:
            raise SettingsError(f"listen: must be HOST:PORT, such as 127.0.0.1:50051, not {self.listen!r}")
        return host.strip("[]"), int(port)


def load_settings(config: Path | None = None, **given: Any) -> Settings:
    """The settings in force; `given` are those of the command line, None for what was not said there.

    `config` is the TOML file; without one, quantmesh.toml of the working folder is read when it is there.
    """
    table = _toml(config or CONFIG_FILE, required=config is not None)

    class Sources(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, InitSettingsSource(settings_cls, table)

    try:
        settings = Sources(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsError(_first_line(error)) from None
    _ = settings.address
    return settings


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """The variables that look like settings and are none: a slip, or what an orchestrator sets for every service."""
    prefix = str(Settings.model_config["env_prefix"])
    fields = Settings.model_fields
    groups = tuple(f"{name}_" for name, field in fields.items() if field.default_factory is dict)
    named = {variable: variable.removeprefix(prefix).lower() for variable in environ if variable.startswith(prefix)}
    return sorted(one for one, name in named.items() if name not in fields and not name.startswith(groups))


def group(name: str, into: type[T], values: Mapping[str, Any]) -> T:
    """The dataclass `into` made of the group `name`; SettingsError for a name it lacks or a value it refuses."""
    known = {field.name for field in fields(into)}  # type: ignore[arg-type]  # a dataclass
    for unknown in values.keys() - known:
        raise SettingsError(f"{name}.{unknown}: no such setting; there are {', '.join(sorted(known))}")
    tables = {field.name for field in fields(into) if field.default_factory is dict}  # type: ignore[arg-type]  # the same
    given = {key: _table(value) if key in tables else value for key, value in values.items()}
    try:
        return TypeAdapter(into).validate_python(given)
    except ValidationError as error:
        raise SettingsError(_first_line(error, name)) from None


def _table(value: object) -> object:
    """In the environment, which has strings only, a table is written as JSON."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _toml(path: Path, *, required: bool) -> dict[str, Any]:
    if not required and not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"{path}: is no TOML: {error}") from None


def _first_line(error: ValidationError, group: str = "") -> str:
    first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":  # what the settings themselves say, which names the field
        return ".".join(filter(None, (group, str(first["ctx"]["error"]))))
    path = ".".join(str(part) for part in (group, *first["loc"]) if part != "")
    return f"{path}: {first['msg']}"
