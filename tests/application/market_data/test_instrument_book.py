import pytest

from adapters.clock import ManualClock
from adapters.persistence.memory_instrument_store import MemoryInstrumentStore
from application.market_data.instrument_book import InstrumentBook
from domain.errors import PreconditionFailed, Throttled, Unavailable
from domain.market_data.instrument import Instrument
from tests.support.market import FRIDAY_NOON
from tests.support.provider import SpokenMarketData

DOWN = Unavailable("it is down", reason="MARKET_DATA_UNAVAILABLE")


class BrokenStore(MemoryInstrumentStore):
    """One whose database is away."""

    async def get(self, provider: str, revision: str, symbol: str) -> Instrument | None:
        raise Unavailable("the database is away")

    async def keep(self, provider: str, revision: str, instrument: Instrument) -> None:
        raise Unavailable("the database is away")


def spoken() -> SpokenMarketData:
    provider = SpokenMarketData(ManualClock(FRIDAY_NOON))
    provider.list("AAPL")
    return provider


@pytest.mark.parametrize("error", [DOWN, Throttled("too often", 5.0)])
async def test_while_a_provider_is_away_its_instruments_are_as_it_described_them_last(error: Exception) -> None:
    provider, store = spoken(), MemoryInstrumentStore()
    described = await InstrumentBook(store).find(provider, "AAPL", keeps=True)
    provider.error = error
    for book in (InstrumentBook(store), InstrumentBook(store)):
        assert await book.find(provider, "AAPL", keeps=True) == described is not None


async def test_what_was_never_described_is_what_the_provider_fails_of() -> None:
    provider = spoken()
    provider.error = DOWN
    with pytest.raises(Unavailable, match="it is down"):
        await InstrumentBook(MemoryInstrumentStore()).find(provider, "AAPL", keeps=True)


async def test_an_answer_of_the_provider_counts_also_that_there_is_none_any_more() -> None:
    provider, book = spoken(), InstrumentBook(MemoryInstrumentStore())
    await book.find(provider, "AAPL", keeps=True)
    provider.delist("AAPL")
    assert await book.find(provider, "AAPL", keeps=True) is None


async def test_a_key_that_is_refused_is_no_silence() -> None:
    provider, book = spoken(), InstrumentBook(MemoryInstrumentStore())
    await book.find(provider, "AAPL", keeps=True)
    provider.error = PreconditionFailed("the key was refused", [], reason="PROVIDER_NOT_CONFIGURED")
    with pytest.raises(PreconditionFailed):
        await book.find(provider, "AAPL", keeps=True)


async def test_a_store_that_fails_changes_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    provider, book = spoken(), InstrumentBook(BrokenStore())
    described = await book.find(provider, "AAPL", keeps=True)
    provider.error = DOWN
    assert await book.find(provider, "AAPL", keeps=True) == described is not None
    with pytest.raises(Unavailable, match="it is down"):
        await InstrumentBook(BrokenStore()).find(provider, "AAPL", keeps=True)
    assert "AAPL is not kept" in caplog.text


async def test_what_is_read_where_it_lies_is_not_kept() -> None:
    provider, store = spoken(), MemoryInstrumentStore()
    await InstrumentBook(store).find(provider, "AAPL", keeps=False)
    assert await store.get(provider.name, provider.revision, "AAPL") is None
