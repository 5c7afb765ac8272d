import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adapters.market_data.simulation_random import Level, draws, fractions, key, normal, stream, uniform

WORDS = st.integers(0, 2**64 - 1)


def test_the_draws_are_those_of_the_published_splitmix64() -> None:
    assert draws(1234567, 1, 3).tolist() == [[6457827717110365317, 3203168211198807973, 9817491932198370423]]


def test_a_key_is_the_same_in_every_process_for_ever() -> None:
    assert key(1, "AAPL") == 0x467C0ACE0BBFF255
    assert len({key(seed, name) for seed in (1, 2, 12) for name in ("AAPL", "MSFT", "2/AAPL")}) == 9


@given(WORDS, st.integers(1, 3000))
def test_a_longer_series_begins_with_the_shorter_one(state: int, count: int) -> None:
    assert draws(state, 1, count + 7)[0, :count].tolist() == draws(state, 1, count)[0].tolist()


@given(WORDS, st.sampled_from(Level), st.integers(0, 2**40))
def test_streams_of_neighbouring_nodes_have_nothing_in_common(key: int, level: Level, number: int) -> None:
    near = {stream(key, level, number), stream(key, level, number + 1), stream(key ^ 1, level, number)}
    assert len(near) == 3


@given(WORDS)
def test_every_number_lies_in_its_range(state: int) -> None:
    drawn = draws(state, 4, 50)
    assert ((uniform(drawn) >= 0) & (uniform(drawn) < 1)).all()
    assert (np.abs(normal(drawn)) <= 3.5).all()
    assert all(0 <= fraction < 1 for fraction in fractions(state))


def test_normal_numbers_have_mean_zero_and_deviation_one() -> None:
    numbers = normal(draws(42, 1, 100_000))
    assert abs(numbers.mean()) < 0.01
    assert abs(numbers.std() - 1) < 0.01
