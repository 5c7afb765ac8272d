"""Kill -9 at moments that nobody chose, again and again, with the same data: the books stay true."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.end_to_end.audit import restart_and_audit
from tests.end_to_end.faults import FAULTS
from tests.end_to_end.followers import Followers
from tests.end_to_end.traders import Traders
from tests.support.postgres import postgres_server
from tests.support.server import ServerProcess, Site

# Several processes one after the other, on a machine that may have others to serve.
pytestmark = pytest.mark.timeout(180)


async def test_a_server_that_is_killed_at_random_loses_and_doubles_nothing(tmp_path: Path) -> None:
    await _kill_and_audit(Site(tmp_path), rounds=5)


async def test_nor_does_it_when_its_broker_is_a_bad_one(tmp_path: Path) -> None:
    await _kill_and_audit(Site(tmp_path, settings=FAULTS), rounds=3)


async def test_nor_does_it_on_postgresql(tmp_path: Path) -> None:
    await _kill_and_audit(Site(tmp_path, database=postgres_server().new_database()), rounds=2)


async def _kill_and_audit(site: Site, rounds: int) -> None:
    chance = random.Random(rounds)
    traders = Traders(seed=rounds)
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
