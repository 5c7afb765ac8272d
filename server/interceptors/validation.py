"""The contract's rules, applied to every request before anything else looks at it."""

from typing import Any, Final

import protovalidate
from google.protobuf.message import Message

from server.errors import FieldViolation, InvalidRequest

# Collecting every violation of a big message takes seconds (200,000 empty orders: 19 s), the first one microseconds.
_ALL_VIOLATIONS_UP_TO_BYTES = 8_192

_validator: Final = protovalidate.Validator()
first_violation: Final = _validator.collect_violations


def invalid(request: Message) -> InvalidRequest | None:
    """What is wrong with `request`: all of it when it is small, else the first thing; None for a good one."""
    broken = first_violation(request, fail_fast=True)
    if broken and request.ByteSize() <= _ALL_VIOLATIONS_UP_TO_BYTES:
        broken = _validator.collect_violations(request)
    return InvalidRequest([_named(violation) for violation in broken]) if broken else None


def _named(violation: protovalidate.Violation) -> FieldViolation:
    said = violation.proto
    elements = said.field.elements if said.field is not None else ()
    path = ".".join(map(_spelled, elements))
    return FieldViolation(path or "request", f"the key {said.message}" if said.for_key else said.message)


def _spelled(element: Any) -> str:
    if element.subscript is None:
        return str(element.field_name)
    at = element.subscript.value
    return f"{element.field_name}[{at!r}]"
