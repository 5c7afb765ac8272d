"""Every way in which a request can break a rule of the contract, generated from the contract itself."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from buf.validate import validate_pb2
from quantmesh.type.v1 import rules_pb2

_DECIMALS: Final = {
    "negative": "-1",
    "with an exponent": "1e3",
    "too precise": "0.0000000000000000001",
    "too long": "1" * 21,
    "no number": "NaN",
    "with a comma": "1,5",
    "with a space": " 1",
    "in other digits": "\u0661",
}
_IDENTIFIERS: Final = {"too long": "x" * 65, "with a space": "a b", "not ASCII": "ü", "with a line break": "a\n"}
_TEXTS: Final = (
    (rules_pb2.positive_decimal, {**_DECIMALS, "zero": "0.00"}),
    (rules_pb2.non_negative_decimal, _DECIMALS),
    (rules_pb2.percent, {**_DECIMALS, "zero": "0", "above 100": "100.1"}),
    (rules_pb2.account_id, {**_IDENTIFIERS, "with a bad start": "-a"}),
    (rules_pb2.identifier, _IDENTIFIERS),
    (rules_pb2.symbol, {**_IDENTIFIERS, "in small letters": "aapl"}),
    (rules_pb2.currency, {**_IDENTIFIERS, "in small letters": "usd"}),
    (rules_pb2.adapter_name, {**_IDENTIFIERS, "in capitals": "PAPER"}),
)
_UNKNOWN_NUMBER: Final = 9_999

Spoil = Callable[[Any], None]


class Malformed(NamedTuple):
    """A request of which one field is wrong. `field`: its path, as a violation is to spell it."""

    what: str
    request: Message
    field: str


def malformed(good: Message) -> Iterator[Malformed]:
    """`good`, spoiled in each way once."""
    yield from _spoiled_within(good, lambda root: root, "")


def _spoiled_within(good: Message, part: Callable[[Any], Any], path: str) -> Iterator[Malformed]:
    """`part` finds the message at `path` in a copy of `good`."""
    for name, what, spoil in _spoils(part(good).DESCRIPTOR):
        bad = type(good)()
        bad.CopyFrom(good)
        spoil(part(bad))
        yield Malformed(f"{path}{name} {what}", bad, f"{path}{name}")
    for field in part(good).DESCRIPTOR.fields:
        if _is_of_the_contract(field):
            step = f"{field.name}[0]" if field.is_repeated else field.name
            yield from _spoiled_within(good, partial(_below, part, field), f"{path}{step}.")


def _is_of_the_contract(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and kind.full_name.startswith("quantmesh.") and not kind.GetOptions().map_entry


def _below(part: Callable[[Any], Any], field: FieldDescriptor, root: Any) -> Any:
    """The message in `field`, of several the first, of the message that `part` finds."""
    content = getattr(part(root), field.name)
    if not field.is_repeated:
        return content
    return content[0] if content else content.add()


# -- the ways to spoil a message ---------------------------------------------------------------------------


def _spoils(kind: Descriptor) -> Iterator[tuple[str, str, Spoil]]:
    """The name of a field or oneof, what will be wrong with it, and what makes it so."""
    for oneof in kind.oneofs:
        if oneof.GetOptions().Extensions[validate_pb2.oneof].required:
            yield oneof.name, "missing", _without(oneof.name)
    for field in kind.fields:
        for what, spoil in _spoils_of(field, field.GetOptions().Extensions[validate_pb2.field]):
            yield field.name, what, spoil


def _spoils_of(field: FieldDescriptor, rules: Any) -> Iterator[tuple[str, Spoil]]:
    if rules.required:
        yield "missing", _without(field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        yield from _spoiled_maps(field, rules.map)
    elif field.is_repeated:
        yield from _spoiled_lists(field, rules.repeated)
    else:
        for what, value in _bad_values(field, rules):
            yield what, _with(field, value)


def _spoiled_maps(field: FieldDescriptor, rules: Any) -> Iterator[tuple[str, Spoil]]:
    """Keys are text, values text or of an enum."""
    assert field.message_type is not None
    value_field = field.message_type.fields_by_name["value"]
    value: Any = "1" if value_field.enum_type is None else 1
    yield "too many", _with_pairs(field, {f"k{number}": value for number in range(rules.max_pairs + 1)})
    yield "with a key too long", _with_pairs(field, {"k" * 65: value})
    if value_field.enum_type is None:
        yield "with a value too long", _with_pairs(field, {"k": "v" * 129})
    else:
        yield "with a value that is none", _with_pairs(field, {"k": 0})
        yield "with an unknown value", _with_pairs(field, {"k": 999})


def _spoiled_lists(field: FieldDescriptor, rules: Any) -> Iterator[tuple[str, Spoil]]:
    if rules.min_items:
        yield "empty", _without(field.name)
    if rules.max_items and field.message_type is not None:
        yield "too many", _with_copies(field, rules.max_items + 1)
    for what, value in _bad_values(field, rules.items):
        yield f"with one {what}", _with_items(field, [value])
    if rules.unique:
        yield "with one twice", _with_items(field, [1, 1] if field.enum_type else ["AAPL", "AAPL"])


def _without(name: str) -> Spoil:
    def spoil(message: Any) -> None:
        message.SetInParent()
        message.ClearField(name)

    return spoil


def _with(field: FieldDescriptor, value: Any) -> Spoil:
    def spoil(message: Any) -> None:
        if isinstance(value, Message):
            getattr(message, field.name).CopyFrom(value)
        else:
            setattr(message, field.name, value)

    return spoil


def _with_pairs(field: FieldDescriptor, pairs: dict[str, Any]) -> Spoil:
    return lambda message: getattr(message, field.name).update(pairs)


def _with_items(field: FieldDescriptor, items: list[Any]) -> Spoil:
    def spoil(message: Any) -> None:
        getattr(message, field.name)[:] = items

    return spoil


def _with_copies(field: FieldDescriptor, count: int) -> Spoil:
    """As many messages as `count`, all like the first."""

    def spoil(message: Any) -> None:
        items = getattr(message, field.name)
        first = items[0] if items else items.add()
        items.extend([first] * (count - len(items)))

    return spoil


# -- values that break a field's rules ---------------------------------------------------------------------


def _bad_values(field: FieldDescriptor, rules: Any) -> Iterator[tuple[str, Any]]:
    if field.enum_type is not None and rules.enum.defined_only:
        yield "of no such number", _UNKNOWN_NUMBER
    elif field.type == FieldDescriptor.TYPE_STRING:
        yield from _bad_texts(rules.string)
    elif field.message_type is not None and field.message_type.full_name == Duration.DESCRIPTOR.full_name:
        yield from _beyond(rules.duration, Duration(seconds=-1), Duration(seconds=1))
    elif field.message_type is not None and field.message_type.full_name == Timestamp.DESCRIPTOR.full_name:
        yield from _beyond(rules.timestamp, Timestamp(seconds=-1), Timestamp(seconds=1))
    else:
        yield from _bad_numbers(rules)


def _bad_texts(rules: Any) -> Iterator[tuple[str, str]]:
    for rule, texts in _TEXTS:
        if rules.Extensions[rule]:
            yield from texts.items()
    if rules.max_len:
        yield "too long", "x" * (rules.max_len + 1)
    if rules.min_len:
        yield "too short", ""


def _bad_numbers(rules: Any) -> Iterator[tuple[str, int]]:
    kind = rules.WhichOneof("type")
    if kind not in ("int32", "uint32", "uint64"):
        return
    limits = getattr(rules, kind)
    if limits.HasField("gte") and limits.gte - 1 >= (-(2**31) if kind == "int32" else 0):
        yield "too low", limits.gte - 1
    if limits.HasField("gt"):
        yield "too low", limits.gt
    if limits.HasField("lte"):
        yield "too high", limits.lte + 1


def _beyond(rules: Any, down: Any, up: Any) -> Iterator[tuple[str, Any]]:
    """Times just outside of the limits."""
    for limit, step in (("gte", down), ("lte", up), ("lt", type(up)())):
        if rules.HasField(limit):
            value = getattr(rules, limit)
            yield f"beyond its {limit}", type(up)(seconds=value.seconds + step.seconds, nanos=value.nanos)
