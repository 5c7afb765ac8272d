"""Runs protoc over the contract.

The contract imports protovalidate's rules, whose .proto file no package carries. The protovalidate wheel
carries their descriptor, so protoc gets that as a descriptor set.
"""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import google.rpc
import grpc_tools
from google.protobuf import descriptor_pb2
from protovalidate._gen.buf.validate import validate_pb

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
RULES = "buf/validate/validate.proto"

_WELL_KNOWN = Path(grpc_tools.__file__).parent / "_proto"
_GOOGLE_APIS = Path(next(iter(google.rpc.__path__))).parent.parent


class ProtocError(Exception):
    """protoc refused; the message is what it said, with file and line."""


def contract_files(proto: Path = PROTO) -> list[str]:
    """The contract's .proto files, as paths below the proto root, in a stable order."""
    return sorted(path.relative_to(proto).as_posix() for path in proto.rglob("*.proto"))


def protoc(arguments: Iterable[str], files: Iterable[str], proto: Path = PROTO) -> None:
    """Compiles `files` (paths below `proto`). Raises ProtocError with protoc's own words."""
    with TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.binpb"
        rules.write_bytes(_rules_with_imports())
        command = [
            *(sys.executable, "-m", "grpc_tools.protoc", f"--descriptor_set_in={rules}"),
            *(f"-I{root}" for root in (proto, _WELL_KNOWN, _GOOGLE_APIS)),
            *arguments,
            *files,
        ]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise ProtocError(done.stderr.strip())


def _rules_with_imports() -> bytes:
    rules = validate_pb.desc()
    files = [file.proto.to_binary() for file in (*rules.dependencies, rules)]
    return descriptor_pb2.FileDescriptorSet(
        file=map(descriptor_pb2.FileDescriptorProto.FromString, files)
    ).SerializeToString()
