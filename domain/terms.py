"""The base of the domain's vocabularies."""

from enum import Enum


class Term(Enum):
    """An enum that hashes by identity. Enum's own hash is Python code, and tables keyed by terms are looked up many
    times on the way of an order.
    """

    __hash__ = object.__hash__
