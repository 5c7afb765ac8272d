from adapters.brokers.paper_chance import Chance


def test_a_draw_depends_on_nothing_but_its_seed_and_its_names() -> None:
    one, two = Chance(7), Chance(7)
    two.below(1000, "other", "c-9", "latency")
    assert one.below(1000, "acme", "c-1", "latency") == two.below(1000, "acme", "c-1", "latency")


def test_each_name_and_the_seed_make_another_draw() -> None:
    names = [("acme", "c-1", "a", 0), ("acme", "c-1", "a", 1), ("acme", "c-1", "b", 0), ("acme", "c-2", "a", 0)]
    draws = {Chance(seed).below(1 << 60, *name) for seed in (1, 2) for name in names}
    assert len(draws) == 8


def test_names_that_read_alike_when_joined_are_told_apart() -> None:
    chance = Chance(1)
    assert chance.token("ab", "c", "x") != chance.token("a", "bc", "x")


def test_things_happen_about_as_often_as_their_rate_says() -> None:
    chance = Chance(3)
    happened = sum(chance.happens(0.2, "acme", f"c-{n}", "reject") for n in range(5000))
    assert 880 < happened < 1120


def test_a_rate_of_zero_never_happens_and_a_rate_of_one_always() -> None:
    chance = Chance(3)
    assert not any(chance.happens(0.0, "acme", f"c-{n}", "lose") for n in range(200))
    assert all(chance.happens(1.0, "acme", f"c-{n}", "lose") for n in range(200))


def test_an_even_draw_below_nothing_is_nothing() -> None:
    assert Chance(3).below(0, "acme", "c-1", "latency") == 0
