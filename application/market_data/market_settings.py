"""What can be set of market data as a whole."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """`provider` serves every instrument that no route matches.

    `routes`: PATTERN=PROVIDER, separated by commas; `*` and `?` in a pattern as in file names, the first match wins.
    `database`: URL of the kept bars; empty: beside the orders on PostgreSQL, else a file of its own in the data
    folder. `cache`: URL of a Redis that several servers share; empty: each process keeps its own quotes.
    """

    provider: str = "simulated"
    routes: str = ""
    database: str = ""
    cache: str = ""

    def __post_init__(self) -> None:
        for pattern, name in self.pairs():
            if not pattern or not name:
                raise ValueError(f"routes: must be PATTERN=PROVIDER, separated by commas, not {self.routes!r}")

    def pairs(self) -> list[tuple[str, str]]:
        """The routes, in order."""
        parts = [route.rpartition("=") for route in self.routes.split(",") if route.strip()]
        return [(pattern.strip(), name.strip()) for pattern, _, name in parts]
