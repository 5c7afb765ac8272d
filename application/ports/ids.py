"""Identity as a port: new ids come from injected randomness, so a test can repeat them."""

from typing import Protocol


class IdGenerator(Protocol):
    def new_id(self) -> str:
        """A new id: 26 characters of Crockford base 32, unique, and sorting by the time of its making."""
        ...
