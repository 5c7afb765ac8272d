import asyncio
import sqlite3
from pathlib import Path

import pytest

from adapters.persistence.store import open_store
from tests.support.ledger import Ledger


@pytest.mark.parametrize(
    "url", ["", "store.db", "mysql://host/database", "postgres://host/database", "memory", "sqlite+x:///f"]
)
async def test_another_url_is_refused_by_the_name_of_the_setting(url: str) -> None:
    with pytest.raises(ValueError, match=r"^database: must be memory:, sqlite:///FILE or postgresql://"):
        await open_store(url)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_a_sqlite_url_must_name_a_file(url: str) -> None:
    with pytest.raises(ValueError, match=r"^database: a sqlite URL names a file"):
        await open_store(url)


async def test_a_refused_password_is_not_repeated() -> None:
    with pytest.raises(ValueError, match=r"^database: ") as refused:
        await open_store("mysql://user:secret@host/database")
    assert "secret" not in str(refused.value)


async def test_a_folder_that_is_missing_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="unable to open database file"):
        await open_store(f"sqlite:///{tmp_path / 'missing' / 'store.db'}")


async def test_each_store_in_memory_is_its_own() -> None:
    first, second = await open_store("memory:"), await open_store("memory:")
    assert [await first.journal.take_over(), await second.journal.take_over()] == [1, 1]


def test_a_closed_sqlite_store_leaves_one_file(tmp_path: Path) -> None:
    async def use() -> None:
        store = await open_store(f"sqlite:///{tmp_path / 'store.db'}")
        await store.journal.take_over()
        await store.journal.append(Ledger().opened())
        assert await store.journal.load("desk") is not None
        assert await store.orders.last_sequence("desk") == 1
        await store.close()

    asyncio.run(use())
    assert [file.name for file in tmp_path.iterdir()] == ["store.db"]
    connection = sqlite3.connect(tmp_path / "store.db")
    assert connection.execute("SELECT epoch FROM writer_epoch").fetchall() == [(1,)]
    connection.close()


async def test_a_path_may_hold_what_a_url_would_split(tmp_path: Path) -> None:
    folder = tmp_path / "a ? # % folder"
    folder.mkdir()
    store = await open_store(f"sqlite:///{folder / 'store.db'}".replace("?", "%3F"))
    assert await store.journal.take_over() == 1
    await store.close()
