"""What journal and repository need of a database: a fenced transaction, and reads of what is committed."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeAlias

from sqlalchemy import Table

from adapters.persistence.queries import LookUp
from adapters.persistence.rows import Row
from adapters.persistence.sql import Query

CrashPoints: TypeAlias = Callable[[str], None]
"""Called before each of `journal_begin`, `journal_insert` and `journal_commit`, and with `..._done` after it. What
it raises fails the transaction; nothing is committed before `journal_commit`, everything at `journal_commit_done`.
"""


class Writer(Protocol):
    """The one writing connection. A failure of any kind leaves a rolled back or unknown transaction behind it,
    and a new connection for the next call.
    """

    async def take_over(self) -> int:
        """Raise the epoch and answer it."""
        ...

    async def write(self, epoch: int, written: Sequence[tuple[Table, Sequence[Row]]]) -> None:
        """One durable transaction; raises Fenced, having written nothing, when `epoch` is not the newest."""
        ...

    async def settled(self) -> None:
        """Return once every transaction that was begun is decided: what is read from then on is the outcome."""
        ...

    async def close(self) -> None: ...


class Reader(Protocol):
    """Connections that only read, and never wait for the writer. `failures` is what they raise."""

    @property
    def failures(self) -> tuple[type[Exception], ...]: ...

    async def read(self, *queries: Query) -> list[list[Row]]:
        """The rows of each query, all as of one moment."""
        ...

    async def look_up(self, wanted: LookUp, account_id: str, ids: Collection[str]) -> Sequence[Row]:
        """The account's rows of a few whole keys, the cheapest way there is."""
        ...

    async def close(self) -> None: ...


class Database(Protocol):
    @property
    def writer(self) -> Writer: ...

    def reader(self, connections: int) -> Reader:
        """A reader of its own, which waits for no other's reads."""
        ...
