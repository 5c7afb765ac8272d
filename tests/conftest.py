"""What every test gets: the outside parts it asks for, and a closing word on those that were missing."""

from collections import Counter

import pytest
from hypothesis import settings

from tests.support.parts import NOT_RUN, program

# So that failures in these are explained as well as those in tests.
pytest.register_assert_rewrite("tests.support.catalogue_rig", "tests.support.quote_floor")

# No time limit on a single example: on a busy machine it would say more about the machine than about the code.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def _required_programs(request: pytest.FixtureRequest) -> None:
    for marker in request.node.iter_markers("requires"):
        for name in marker.args:
            program(name)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "requires(*programs): skipped, or failed in CI, where one is missing")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    not_run = Counter(filter(None, map(_missing_part, terminalreporter.stats.get("skipped", []))))
    if not_run:
        terminalreporter.section("not run")
    for part, tests in sorted(not_run.items()):
        terminalreporter.write_line(f"not run: {tests} test{'s' * (tests > 1)}, for lack of {part}")


def _missing_part(report: pytest.TestReport) -> str | None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    _, found, part = reason.partition(NOT_RUN)
    return part if found else None
