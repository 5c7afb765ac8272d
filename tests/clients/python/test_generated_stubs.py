"""The generated package as a caller's process holds it: one descriptor pool, every rule compilable."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import protovalidate
import pytest
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor

import quantmesh
from buf.validate import validate_pb2

SOURCE = Path(next(iter(quantmesh.__path__))).parent
MODULES = sorted(
    path.relative_to(SOURCE).with_suffix("").as_posix().replace("/", ".")
    for path in (SOURCE / "quantmesh").rglob("*_pb2.py")
)


def messages_of(module: str) -> Iterator[Descriptor]:
    file = importlib.import_module(module).DESCRIPTOR
    pending = list(file.message_types_by_name.values())
    while pending:
        message = pending.pop()
        yield message
        pending.extend(message.nested_types)


@pytest.mark.parametrize("module", MODULES)
def test_every_rule_of_a_module_compiles_and_can_be_checked(module: str) -> None:
    for message in messages_of(module):
        if not message.GetOptions().map_entry:
            protovalidate.collect_violations(message_factory.GetMessageClass(message)())


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_in_the_one_pool_that_reflection_serves(module: str) -> None:
    file = importlib.import_module(module).DESCRIPTOR
    assert descriptor_pool.Default().FindFileByName(file.name) is file


def test_rules_are_readable_as_typed_options() -> None:
    options = [
        field.GetOptions().Extensions[validate_pb2.field]
        for module in MODULES
        for message in messages_of(module)
        for field in message.fields
        if field.GetOptions().HasExtension(validate_pb2.field)
    ]
    assert options
    assert all(rules.ByteSize() for rules in options)
