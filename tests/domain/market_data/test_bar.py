from datetime import timedelta

from domain.market_data.bar import BarInterval


def test_intervals_shorter_than_a_day_have_a_length_and_the_others_follow_the_calendar() -> None:
    lengths = {interval.value: interval.fixed_length for interval in BarInterval}
    assert [name for name, length in lengths.items() if length is None] == ["1d", "1w", "1mo"]
    assert lengths["1s"] == timedelta(seconds=1)
    assert lengths["15m"] == timedelta(minutes=15)
    assert lengths["2h"] == timedelta(hours=2)


def test_intervals_are_listed_from_the_shortest_to_the_longest() -> None:
    fixed = [interval.fixed_length for interval in BarInterval if interval.fixed_length is not None]
    assert fixed == sorted(fixed)
