"""What an iterator of a provider gives, apart from the word that it is subscribed."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from application.ports.market_data import Subscribed

T = TypeVar("T")


async def only_items(
    live: AsyncGenerator[T | Subscribed, None], subscribed: list[str] | None = None
) -> AsyncGenerator[T, None]:
    """The items of `live`; the symbols that it says are subscribed go to `subscribed`."""
    async with aclosing(live):
        async for item in live:
            if not isinstance(item, Subscribed):
                yield item
            elif subscribed is not None:
                subscribed.append(item.symbol)
