"""The contract's build, driven as a developer drives it, in a copy with a contract of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ORDER = """syntax = "proto3";

package quantmesh.trading.v1;

import "buf/validate/validate.proto";
import "google/rpc/status.proto";

// An order.
message Order {
  // The account that it belongs to.
  string account_id = 1 [(buf.validate.field).string.min_len = 1];
  // Why it failed.
  google.rpc.Status error = 2;
}
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "tools", tmp_path / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    write_order(tmp_path, ORDER)
    assert run(tmp_path, "generate") == ""
    return tmp_path


def write_order(checkout: Path, text: str) -> None:
    file = checkout / "proto/quantmesh/trading/v1/order.proto"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def run(checkout: Path, verb: str) -> str:
    """The verb's complaints; empty exactly when it exits with 0."""
    command = [sys.executable, "-m", "tools.contract", verb]
    done = subprocess.run(command, cwd=checkout, check=False, capture_output=True, text=True)
    assert bool(done.stderr) == bool(done.returncode), done
    return done.stderr


def test_a_fresh_contract_passes_before_and_after_its_first_release(checkout: Path) -> None:
    assert run(checkout, "check") == ""
    assert run(checkout, "release") == ""
    assert run(checkout, "check") == ""


def test_generating_twice_writes_the_same_bytes_and_removes_stubs_without_a_source(checkout: Path) -> None:
    stubs = checkout / "clients/python/src/quantmesh/trading/v1"
    first = {path.name: path.read_bytes() for path in stubs.iterdir()}
    (stubs / "gone_pb2.py").write_text("", encoding="utf-8")
    assert run(checkout, "generate") == ""
    assert {path.name: path.read_bytes() for path in stubs.iterdir()} == first
    assert set(first) == {"order_pb2.py", "order_pb2.pyi"}


def test_a_change_that_breaks_callers_is_named(checkout: Path) -> None:
    run(checkout, "release")
    write_order(checkout, ORDER.replace("account_id", "account"))
    run(checkout, "generate")
    complaints = run(checkout, "check")
    assert 'proto/quantmesh/trading/v1/order.proto:11:10:Field "1" on message "Order"' in complaints
    assert 'changed name from "account_id" to "account"' in complaints


def test_an_addition_breaks_nobody(checkout: Path) -> None:
    run(checkout, "release")
    write_order(checkout, ORDER.replace("  // Why", "  // The symbol.\n  string symbol = 3;\n  // Why"))
    run(checkout, "generate")
    assert run(checkout, "check") == ""


def test_a_stub_that_proto_does_not_say_is_drift(checkout: Path) -> None:
    stub = checkout / "clients/python/src/quantmesh/trading/v1/order_pb2.pyi"
    stub.write_bytes(stub.read_bytes() + b"\n")
    assert run(checkout, "check") == "quantmesh/trading/v1/order_pb2.pyi: not what proto/ says (make proto)\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ORDER.replace("account_id", "accountId"), 'Field name "accountId" should be lower_snake_case'),
        (ORDER.replace("  // Why it failed.\n", ""), 'Field "error" should have a non-empty comment'),
        (ORDER.replace("min_len = 1", "no_such_rule = 1"), "no_such_rule"),
    ],
)
def test_a_contract_against_the_rules_is_refused(checkout: Path, text: str, complaint: str) -> None:
    write_order(checkout, text)
    assert complaint in run(checkout, "check")


def test_an_unknown_verb_is_answered_with_the_known_ones(checkout: Path) -> None:
    assert "tools.contract generate" in run(checkout, "publish")
