from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from adapters.clock import ManualClock
from adapters.ids import UlidGenerator

START = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=2_900_000)).map(lambda since: EPOCH + since)


def generator(seed: int, clock: ManualClock) -> UlidGenerator:
    return UlidGenerator(clock, Random(seed).randbytes)


def number(ulid: str) -> int:
    value = 0
    for character in ulid:
        value = value * 32 + ALPHABET.index(character)
    return value


@given(MOMENTS, st.integers())
def test_an_id_is_a_ulid_of_the_millisecond_of_its_making(moment: datetime, seed: int) -> None:
    ulid = generator(seed, ManualClock(moment)).new_id()
    milliseconds = (moment - EPOCH) // timedelta(milliseconds=1)
    assert len(ulid) == 26
    assert number(ulid) >> 80 == milliseconds


def test_an_id_holds_the_random_bytes_but_for_the_bit_that_leaves_room() -> None:
    ulid = UlidGenerator(ManualClock(START), lambda count: bytes([0xFF] * count)).new_id()
    assert number(ulid) & (2**80 - 1) == 2**79 - 1


@given(st.lists(st.integers(0, 3_000), min_size=2, max_size=50), st.integers())
def test_ids_increase_within_a_millisecond_and_across(microseconds: list[int], seed: int) -> None:
    clock = ManualClock(START)
    ids = generator(seed, clock)
    made = []
    for step in microseconds:
        clock.advance(step / 1_000_000)
        made.append(ids.new_id())
    assert made == sorted(set(made))


def test_ids_of_one_millisecond_count_up_by_one() -> None:
    ids = generator(1, ManualClock(START))
    first, *others = [number(ids.new_id()) for _ in range(5_000)]
    assert others == [first + step for step in range(1, 5_000)]


def test_the_same_randomness_and_times_give_the_same_ids() -> None:
    ours, theirs = generator(7, ManualClock(START)), generator(7, ManualClock(START))
    assert [ours.new_id() for _ in range(10)] == [theirs.new_id() for _ in range(10)]


def test_two_generators_with_their_own_randomness_never_meet() -> None:
    made: set[str] = set()
    for seed in range(50):
        ids = generator(seed, ManualClock(START))
        made.update(ids.new_id() for _ in range(100))
    assert len(made) == 5_000
