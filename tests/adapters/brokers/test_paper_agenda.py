from datetime import timedelta
from itertools import permutations

from adapters.brokers.paper_agenda import Agenda
from tests.adapters.brokers.paper_desk import TUESDAY_NOON


def test_one_moment_looks_the_same_whichever_account_was_served_first() -> None:
    for served in permutations(["a", "b", "c"]):
        agenda, ran = Agenda(), list[str]()
        for account in served:
            agenda.add(TUESDAY_NOON, account, ran.append, f"{account} first")
            agenda.add(TUESDAY_NOON, account, ran.append, f"{account} second")
        agenda.run(TUESDAY_NOON)
        assert ran == [f"{account} {n}" for account in "abc" for n in ("first", "second")]


def test_what_is_not_due_stays() -> None:
    agenda, ran = Agenda(), list[str]()
    later = TUESDAY_NOON + timedelta(microseconds=1)
    agenda.add(later, "a", ran.append, "later")
    agenda.run(TUESDAY_NOON)
    assert ran == []
    assert agenda.next() == later


def test_an_action_may_add_another_that_is_due_at_once() -> None:
    agenda, ran = Agenda(), list[str]()
    agenda.add(TUESDAY_NOON, "a", lambda: agenda.add(TUESDAY_NOON, "a", ran.append, "added"))
    agenda.run(TUESDAY_NOON)
    assert ran == ["added"]
    assert agenda.next() is None
