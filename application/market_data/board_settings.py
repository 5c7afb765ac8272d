"""How fresh the board keeps its quotes, and what it gives up for that."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class BoardSettings:
    """Seconds, where nothing else is said.

    - `fresh_seconds`: after so long a quote is asked for again before a decision
    - `quiet_seconds`: the same while a live stream would show every change: it may have fallen silent unnoticed
    - `fetch_timeout_seconds`: so long a decision waits for a provider at most
    - `retry_seconds`: so long a provider that failed is left alone at first; twice as long each time, up to
      `longest_retry_seconds`
    - `watch_seconds`: so long after the last decision about it the live quotes of a symbol are followed, of at most
      `most_watched` symbols of a provider
    - `share_seconds`: how often live quotes are put into the cache
    - `instrument_seconds`: after so long an instrument is read again; `unknown_seconds`: the same of one that the
      provider did not have
    - `ahead_seconds`: a quote whose time is further ahead of our clock is not believed
    - `most_symbols`: of how many symbols of a provider the newest quote is kept
    """

    fresh_seconds: float = 1.0
    quiet_seconds: float = 10.0
    fetch_timeout_seconds: float = 2.0
    retry_seconds: float = 5.0
    longest_retry_seconds: float = 60.0
    watch_seconds: float = 600.0
    most_watched: int = 1_000
    share_seconds: float = 0.5
    instrument_seconds: float = 86_400.0
    unknown_seconds: float = 300.0
    ahead_seconds: float = 5.0
    most_symbols: int = 50_000

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(f"{field.name}: must be above 0, not {getattr(self, field.name)}")
        for least, most in (("fresh_seconds", "quiet_seconds"), ("retry_seconds", "longest_retry_seconds")):
            if getattr(self, most) < getattr(self, least):
                raise ValueError(f"{most}: must be at least {least}, {getattr(self, least)}")
