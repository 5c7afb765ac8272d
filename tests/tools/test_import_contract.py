"""The layers' deny-by-default import contract, run by import-linter over small trees."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
[tool.importlinter]
root_packages = ["inner", "outer"]
include_external_packages = true
contract_types = ["allowed_imports: tools.import_contract.AllowedImportsContract"]

[[tool.importlinter.contracts]]
name = "Inner stands alone"
type = "allowed_imports"
package = "inner"

[[tool.importlinter.contracts]]
name = "Outer knows inner"
type = "allowed_imports"
package = "outer"
may_import = ["inner"]
"""


def lint(checkout: Path, inner: str, outer: str) -> tuple[int, str]:
    (checkout / "pyproject.toml").write_text(CONFIG, encoding="utf-8")
    for package, code in (("inner", inner), ("outer", outer)):
        (checkout / package).mkdir()
        (checkout / package / "__init__.py").write_text("", encoding="utf-8")
        (checkout / package / "module.py").write_text(code, encoding="utf-8")
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=checkout, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_the_standard_library_the_package_itself_and_what_is_listed_pass(tmp_path: Path) -> None:
    code, _ = lint(tmp_path, "import decimal\nimport inner", "import asyncio\nfrom inner import module")
    assert code == 0


@pytest.mark.parametrize(
    ("inner", "outer", "denied"),
    [
        ("import grpc", "", "inner.module may not import grpc"),
        ("from google.protobuf import message", "", "inner.module may not import google"),
        ("from outer import module", "", "inner.module may not import outer.module"),
        ("", "def late():\n    import sqlalchemy", "outer.module may not import sqlalchemy"),
    ],
)
def test_anything_else_is_named_and_refused(tmp_path: Path, inner: str, outer: str, denied: str) -> None:
    code, said = lint(tmp_path, inner, outer)
    assert code == 1
    assert denied in said
