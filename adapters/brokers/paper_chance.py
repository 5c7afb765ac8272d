"""Randomness that belongs to an order, so that nothing else which happens at the venue can change it."""

from hashlib import blake2b

_BYTES = 8
_BITS = 8 * _BYTES


class Chance:
    """Draws by a stable hash of (seed, account, client order id, what, n), so in any order."""

    def __init__(self, seed: int) -> None:
        self._seeded = blake2b(str(seed).encode(), digest_size=_BYTES)

    def below(self, limit: int, account_id: str, client_order_id: str, what: str, n: int = 0) -> int:
        """An even draw from 0 to `limit`, which is excluded."""
        drawn = self._seeded.copy()
        drawn.update(f"\0{account_id}\0{client_order_id}\0{what}\0{n}".encode())
        return (int.from_bytes(drawn.digest(), "big") * limit) >> _BITS

    def token(self, account_id: str, client_order_id: str, what: str) -> str:
        """16 hexadecimal digits."""
        return f"{self.below(1 << _BITS, account_id, client_order_id, what):016x}"

    def happens(self, rate: float, account_id: str, client_order_id: str, what: str, n: int = 0) -> bool:
        """True with a probability of `rate`."""
        return rate > 0 and self.below(_PARTS, account_id, client_order_id, what, n) < rate * _PARTS


_PARTS = 1 << 48
