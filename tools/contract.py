"""The contract's build: its Python stubs, its release, and the checks that hold it.

python -m tools.contract generate   stubs from proto/ into clients/python/src
python -m tools.contract check      lint, breaking changes since the release, stubs up to date
python -m tools.contract release    today's contract becomes the one that changes are held against
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.protoc import PROTO, ROOT, RULES, ProtocError, contract_files, protoc

STUBS = ROOT / "clients/python/src"
RELEASED = PROTO / "released.binpb"

_BIN = Path(sys.executable).parent
_MESSAGES = (f"--plugin=protoc-gen-mypy={_BIN / 'protoc-gen-mypy'}", "--python_out={0}", "--mypy_out={0}")
_SERVICES = (
    f"--plugin=protoc-gen-mypy_grpc={_BIN / 'protoc-gen-mypy_grpc'}",
    "--grpc_python_out={0}",
    "--mypy_grpc_out={0}",
)
_SERVICE = re.compile(r"^service\s", re.MULTILINE)


def generate() -> list[str]:
    """Writes every stub and removes those whose .proto file is gone."""
    stubs = _generated()
    for stale in _written().keys() - stubs.keys():
        (STUBS / stale).unlink()
    for path, content in stubs.items():
        target = STUBS / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return []


def check() -> list[str]:
    """What is wrong with the contract or its stubs, one complaint an entry."""
    with TemporaryDirectory() as folder:
        image = Path(folder) / "contract.binpb"
        _write_image(image, "--include_source_info")
        return [*_buf("lint", str(image)), *_breaking(image), *_drift()]


def release() -> list[str]:
    """Writes the descriptor set that later changes may not break."""
    _write_image(RELEASED)
    return []


def _generated() -> dict[str, bytes]:
    files = contract_files()
    services = [file for file in files if _SERVICE.search((PROTO / file).read_text(encoding="utf-8"))]
    with TemporaryDirectory() as folder:
        for plugins, sources in ((_MESSAGES, [RULES]), (_MESSAGES, files), (_SERVICES, services)):
            if sources:
                protoc((argument.format(folder) for argument in plugins), sources)
        return dict(_stubs_below(Path(folder)))


def _written() -> dict[str, bytes]:
    return dict(_stubs_below(STUBS))


def _stubs_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*_pb2*.py*")):
        if path.suffix in {".py", ".pyi"}:
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _write_image(target: Path, *flags: str) -> None:
    protoc(["--include_imports", f"--descriptor_set_out={target}", *flags], contract_files())


def _breaking(image: Path) -> list[str]:
    if not RELEASED.exists():
        print("no released contract yet (make proto-release): nothing to break")
        return []
    return _buf("breaking", str(image), "--against", str(RELEASED))


def _buf(verb: str, *arguments: str) -> list[str]:
    command = [str(_BIN / "buf"), verb, *arguments, "--config", str(ROOT / "buf.yaml")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    return [f"proto/{line}" for line in done.stdout.splitlines()] + done.stderr.splitlines()


def _drift() -> list[str]:
    expected, written = _generated(), _written()
    return [
        f"{path}: not what proto/ says (make proto)"
        for path in sorted(expected.keys() | written.keys())
        if expected.get(path) != written.get(path)
    ]


_VERBS: dict[str, Callable[[], list[str]]] = {"generate": generate, "check": check, "release": release}


def main(arguments: list[str]) -> int:
    """Runs the named verb; 0 when nothing is wrong, 1 with each complaint on a line, 2 for no such verb."""
    if len(arguments) != 1 or arguments[0] not in _VERBS:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        complaints = _VERBS[arguments[0]]()
    except ProtocError as error:
        complaints = [str(error)]
    print(*complaints, sep="\n", end="\n" if complaints else "", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
