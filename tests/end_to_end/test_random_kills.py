"""Kill -9 at moments that nobody chose, again and again, with the same data: the books stay true."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.end_to_end.audit import restart_and_audit
from tests.end_to_end.followers import Followers
from tests.end_to_end.traders import Traders
from tests.support.postgres import postgres_server
from tests.support.server import ServerProcess, Site

# Several processes one after the other, on a machine that may have others to serve.
pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize(("database", "rounds"), [("sqlite", 6), ("postgresql", 2)])
async def test_a_server_that_is_killed_at_random_loses_and_doubles_nothing(
    database: str, rounds: int, tmp_path: Path
) -> None:
    site = Site(tmp_path, database=postgres_server().new_database() if database == "postgresql" else "")
    chance = random.Random(database)
    traders = Traders()
    followers = Followers(traders.account_id)
    for _ in range(rounds):
        with site.start() as server:
            async with server.client() as client:
                await traders.open_account(client)
                async with followers.following(client):
                    await asyncio.gather(traders.trade(client), _kill_after(server, chance.uniform(0.1, 0.7)))
        await _kill_while_starting(site, chance.uniform(0.3, 1.5))
    await restart_and_audit(site, traders, followers)


async def _kill_after(server: ServerProcess, seconds: float) -> None:
    await asyncio.sleep(seconds)
    server.kill()


async def _kill_while_starting(site: Site, seconds: float) -> None:
    await _kill_after(site.start(), seconds)
