"""Hypothesis strategies for domain values, made from their types: whatever a field may hold, stored or sent."""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

T = TypeVar("T")

# PostgreSQL's text takes neither NUL nor lone surrogates, and no id or reason may hold them.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
WHOLE = st.integers(0, 2**63 - 1)
AMOUNT = st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**19), max_value=10**19) | (
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**19), max_value=10**19)
)
TIME = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 zone is given

_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: WHOLE,
    bool: st.booleans(),
    bytes: st.binary(max_size=20),
    Decimal: AMOUNT,
    datetime: TIME,
    NoneType: st.none(),
}


def values(kind: type[T], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Any value of the dataclass or named tuple `kind`, its fields as `given` or any value of their types."""
    made = {name: _of(type) for name, type in get_type_hints(kind).items() if name not in given}
    return st.builds(kind, **made, **given)


def _of(kind: Any) -> st.SearchStrategy[Any]:
    if kind in _PLAIN:
        return _PLAIN[kind]
    if get_origin(kind) in (Union, UnionType):
        return st.one_of(*map(_of, get_args(kind)))
    if get_origin(kind) in _COLLECTIONS:
        return _COLLECTIONS[get_origin(kind)](get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    assert is_dataclass(kind), f"no strategy for {kind}"
    return values(kind)  # type: ignore[arg-type]


def _tuple(kinds: tuple[Any, ...]) -> st.SearchStrategy[tuple[Any, ...]]:
    if kinds[-1] is Ellipsis:
        return st.lists(_of(kinds[0]), max_size=3).map(tuple)
    return st.tuples(*map(_of, kinds))


def _frozenset(kinds: tuple[Any, ...]) -> st.SearchStrategy[frozenset[Any]]:
    return st.frozensets(_of(kinds[0]), max_size=3)


def _mapping(kinds: tuple[Any, ...]) -> st.SearchStrategy[Mapping[Any, Any]]:
    return st.dictionaries(_of(kinds[0]), _of(kinds[1]), max_size=3)


_COLLECTIONS: dict[Any, Callable[[tuple[Any, ...]], st.SearchStrategy[Any]]] = {
    tuple: _tuple,
    frozenset: _frozenset,
    Mapping: _mapping,
}
