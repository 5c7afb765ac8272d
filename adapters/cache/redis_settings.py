"""How the Redis cache is reached. Nothing of its client is imported here."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

_SCHEMES = ("redis", "rediss", "unix")


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """`url` such as "redis://user:password@host:6379/0"; "rediss" for TLS, "unix:///path" for a socket.

    `timeout_seconds`: how long one call may take in all, `retry_seconds`: how long a server that failed is left
    alone. `prefix` begins every key, so that a server may be shared with others.
    """

    url: str = field(repr=False)  # it may hold a password
    prefix: str = "quantmesh"
    keep_seconds: float = 300.0
    timeout_seconds: float = 0.1
    retry_seconds: float = 1.0
    most_connections: int = 16

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in _SCHEMES:
            raise ValueError(f"url: must begin with one of {', '.join(f'{scheme}://' for scheme in _SCHEMES)}")
        if not self.prefix:
            raise ValueError("prefix: must not be empty")
        for name in ("keep_seconds", "timeout_seconds", "retry_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: must be above 0, not {getattr(self, name)}")
        if self.keep_seconds > 86_400:
            raise ValueError(f"keep_seconds: must be at most 86400, not {self.keep_seconds}")
        if self.most_connections < 1:
            raise ValueError(f"most_connections: must be at least 1, not {self.most_connections}")
