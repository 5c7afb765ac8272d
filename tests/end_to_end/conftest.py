"""What the tests against a real server have in common."""

import os
from pathlib import Path

import pytest
from pytest_asyncio import is_async_test

# Nobody forks with gRPC loaded but to start a program at once, of which gRPC would only complain.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# So that failures in these are explained as well as those in tests.
pytest.register_assert_rewrite(
    *(
        f"tests.end_to_end.{module}"
        for module in ("audit", "books", "followers", "refusals", "traders", "vendor_desk", "vendor_streams")
    ),
    "tests.support.server",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all of them: grpc.aio does not let go of a loop that is closed behind a call."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
