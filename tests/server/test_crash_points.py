"""The switch that lets a test crash the process at a named point."""

import os
import signal

import pytest

from server.crash_points import crash_points


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: calls.append((pid, number)))
    return calls


def test_without_a_point_nothing_happens(killed: list[tuple[int, int]]) -> None:
    reached = crash_points("")
    reached("ack")
    assert killed == []


def test_a_point_kills_the_first_time_it_is_reached(killed: list[tuple[int, int]]) -> None:
    reached = crash_points("ack")
    reached("broker_send")
    assert killed == []
    reached("ack")
    assert killed == [(os.getpid(), signal.SIGKILL)]


def test_a_count_waits_for_that_time(killed: list[tuple[int, int]]) -> None:
    reached = crash_points("ack:3")
    for _ in range(2):
        reached("ack")
    assert killed == []
    reached("ack")
    reached("ack")
    assert len(killed) == 1


def test_a_count_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="often"):
        crash_points("ack:often")
