"""Whatever keeps instruments gives back what it was given last."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.market_data.conventions import US_EQUITY_HOURS
from domain.market_data.instrument import InstrumentStatus
from tests.support.market_stores import KINDS, OpenMarketStore, market_stores
from tests.support.trading import instrument

ACME = replace(
    instrument("ACME"),
    hours=US_EQUITY_HOURS,
    sector="Energy",
    provider_symbol="ACME.N",
    min_notional=Decimal("1E+1"),
    shortable=True,
    status=InstrumentStatus.HALTED,
)


@pytest.fixture(params=KINDS)
async def open_another(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OpenMarketStore]:
    async with market_stores(request.param, tmp_path) as opens:
        yield opens


async def test_an_instrument_is_given_back_whole_also_to_another_server(open_another: OpenMarketStore) -> None:
    await (await open_another()).instruments.keep("vendor", "1", ACME)
    assert await (await open_another()).instruments.get("vendor", "1", "ACME") == ACME


async def test_what_was_kept_last_counts(open_another: OpenMarketStore) -> None:
    store = (await open_another()).instruments
    await store.keep("vendor", "1", ACME)
    later = replace(ACME, tick_size=Decimal("0.05"))
    await store.keep("vendor", "1", later)
    assert await store.get("vendor", "1", "ACME") == later


@pytest.mark.parametrize("asked", [("vendor", "1", "BOLT"), ("vendor", "2", "ACME"), ("other", "1", "ACME")])
async def test_what_was_never_kept_is_not_there(open_another: OpenMarketStore, asked: tuple[str, str, str]) -> None:
    store = (await open_another()).instruments
    await store.keep("vendor", "1", ACME)
    assert await store.get(*asked) is None
