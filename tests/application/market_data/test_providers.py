"""Which providers there are, what each lacks, and which one serves an instrument."""

import asyncio
import threading
from dataclasses import dataclass, field

import pytest

from adapters.clock import ManualClock
from adapters.market_data.simulated_adapter import SimulatedMarketData
from adapters.market_data.simulation_settings import CAPABILITIES, SimulationSettings
from application.market_data.providers import Lack, Offer, Providers
from application.ports.market_data import MarketData
from domain.errors import NotFound, PreconditionFailed
from tests.support.market import FRIDAY_NOON


@dataclass
class Shop:
    """Offers of simulated providers under names of the test's; `opened` has a thread's name for each opening."""

    lacks: dict[str, Lack] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    opened: list[tuple[str, str]] = field(default_factory=list)

    def offer(self, name: str) -> Offer:
        def open_it() -> MarketData:
            self.opened.append((name, threading.current_thread().name))
            if name in self.broken:
                raise OSError("no such library")
            return SimulatedMarketData(ManualClock(FRIDAY_NOON), SimulationSettings())

        return Offer(name, name.title(), CAPABILITIES, lambda: self.lacks.get(name), open_it)

    def providers(self, default: str = "b", routes: str = "") -> Providers:
        pairs = [route.split("=") for route in routes.split(",") if route]
        return Providers([self.offer(name) for name in "cba"], default, [(pattern, name) for pattern, name in pairs])


def test_all_providers_are_listed_by_name_and_none_is_opened_for_it() -> None:
    shop = Shop()
    assert [offer.name for offer in shop.providers().offers()] == ["a", "b", "c"]
    assert shop.opened == []


@pytest.mark.parametrize(
    ("symbol", "provider"), [("BTC/USDT", "a"), ("BTC/USD", "c"), ("AAPL", "b"), ("ABC", "c"), ("", "b")]
)
def test_the_first_route_that_matches_says_who_serves_a_symbol(symbol: str, provider: str) -> None:
    assert Shop().providers(routes="*/USDT=a,BTC/*=c,A?C=c").name_for(symbol) == provider


def test_the_providers_in_use_are_the_default_and_those_that_are_routed_to() -> None:
    assert Shop().providers(routes="X=b,Y=a,Z=a").in_use() == ("b", "a")


@pytest.mark.parametrize(("default", "routes"), [("d", ""), ("a", "AAPL=d")])
def test_a_default_or_a_route_to_a_provider_that_is_not_there_is_refused_at_once(default: str, routes: str) -> None:
    with pytest.raises(NotFound, match="no provider 'd' here; there are a, b, c") as refused:
        Shop().providers(default, routes)
    assert refused.value.reason == "PROVIDER_NOT_FOUND"


async def test_a_provider_is_opened_once_on_a_thread_when_it_is_first_asked_for() -> None:
    shop = Shop()
    providers = shop.providers()
    found = await asyncio.gather(*(providers.get("a") for _ in range(5)))
    assert len({id(one) for one in found}) == 1
    [(name, thread)] = shop.opened
    assert name == "a"
    assert thread != threading.main_thread().name
    await providers.close()


async def test_a_provider_that_lacks_something_says_what_helps_and_serves_once_it_is_there() -> None:
    shop = Shop(lacks={"a": Lack("no key is set", "QUANTMESH_A_API_KEY=...")})
    providers = shop.providers()
    with pytest.raises(PreconditionFailed, match="no key is set: QUANTMESH_A_API_KEY=") as refused:
        await providers.get("a")
    assert refused.value.reason == "PROVIDER_NOT_CONFIGURED"
    assert shop.opened == []
    shop.lacks.clear()
    assert (await providers.get("a")).name == "simulated"


async def test_an_opening_that_fails_is_tried_again() -> None:
    shop = Shop(broken={"a"})
    providers = shop.providers()
    with pytest.raises(OSError, match="no such library"):
        await providers.get("a")
    shop.broken.clear()
    assert (await providers.get("a")).name == "simulated"


async def test_a_caller_that_gives_up_waiting_does_not_end_the_opening_for_the_others() -> None:
    providers = Shop().providers()
    impatient = asyncio.create_task(providers.get("a"))
    patient = asyncio.create_task(providers.get("a"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).name == "simulated"
