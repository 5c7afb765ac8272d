"""SQL from Core, as text: each statement is compiled once a dialect, so that executing one costs no building.

Also the one thing in the queries that the dialects spell differently: a list as a single parameter, which
keeps the text the same whatever the list's length.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from sqlalchemy import ARRAY, BigInteger, BindParameter, ColumnElement, SelectBase, Text, UpdateBase, bindparam
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

Statement: TypeAlias = SelectBase | UpdateBase

Query: TypeAlias = tuple[Statement, Mapping[str, Any]]
"""A statement and its parameters by name. A statement's text is kept by its identity: make it once."""

END: Final = 2**63 - 1
"""Above every number that a column can hold."""


def text(name: str) -> BindParameter[str]:
    return bindparam(name, type_=Text)


def number(name: str) -> BindParameter[int]:
    return bindparam(name, type_=BigInteger)


SQLITE: Final = make_url("sqlite://").get_dialect()()
POSTGRESQL: Final = make_url("postgresql+asyncpg://").get_dialect()()


class Compiled(NamedTuple):
    """A statement in the dialect's words, with the names of its parameters in order, and those that are fixed."""

    sql: str
    names: tuple[str, ...]
    fixed: Mapping[str, Any]

    def values(self, parameters: Mapping[str, Any]) -> list[Any]:
        given = {**self.fixed, **parameters} if self.fixed else parameters
        return [given[name] for name in self.names]


class Texts:
    """The texts of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: dict[Statement, Compiled] = {}

    def __getitem__(self, statement: Statement) -> Compiled:
        known = self._known.get(statement)
        if known is None:
            known = self._known[statement] = self._compile(statement)
        return known

    def _compile(self, statement: Statement) -> Compiled:
        compiled = statement.compile(dialect=self._dialect)
        names = tuple(compiled.positiontup or ())
        fixed = {name: value for name, value in compiled.params.items() if value is not None}
        return Compiled(str(compiled), names, fixed)


class among(ColumnElement[bool]):  # noqa: N801 it reads as the operator that it is
    """Whether `column` is one of the strings in the list parameter `name`."""

    inherit_cache = False

    def __init__(self, column: ColumnElement[str], name: str) -> None:
        self.column = column
        self.items: BindParameter[Any] = bindparam(name, type_=ARRAY(Text))


@compiles(among, "postgresql")
def _among_array(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} = ANY ({compiler.process(element.items, **kw)})"


@compiles(among, "sqlite")
def _among_json(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    items = compiler.process(element.items, **kw)
    column = compiler.process(element.column, **kw)
    return f"{column} IN (SELECT value FROM json_each({items}))"  # noqa: S608 both parts are the compiler's


class pair_among(ColumnElement[bool]):  # noqa: N801 it reads as the operator that it is
    """Whether the columns' values are one of the pairs that the two list parameters make. PostgreSQL alone has it."""

    inherit_cache = False

    def __init__(self, columns: tuple[ColumnElement[str], ColumnElement[str]], names: tuple[str, str]) -> None:
        self.columns = columns
        self.items = tuple(bindparam(name, type_=ARRAY(Text)) for name in names)


@compiles(pair_among, "postgresql")
def _pair_among_arrays(element: pair_among, compiler: SQLCompiler, **kw: Any) -> str:
    columns = ", ".join(compiler.process(column, **kw) for column in element.columns)
    items = ", ".join(compiler.process(item, **kw) for item in element.items)
    return f"({columns}) IN (SELECT * FROM unnest({items}))"  # noqa: S608 both parts are the compiler's
