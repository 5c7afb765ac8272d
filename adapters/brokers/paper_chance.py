"""Randomness that belongs to an order, so that nothing else which happens at the venue can change it."""

from hashlib import blake2b

_BYTES = 8
_SPAN = 1 << (8 * _BYTES)


class Chance:
    """Draws by a stable hash of (seed, account, client order id, what, n), so in any order."""

    def __init__(self, seed: int) -> None:
        self._seeded = blake2b(str(seed).encode(), digest_size=_BYTES)

    def token(self, account_id: str, client_order_id: str, what: str, n: int = 0) -> str:
        """16 hexadecimal digits."""
        return self._digest(account_id, client_order_id, what, n).hex()

    def share(self, account_id: str, client_order_id: str, what: str, n: int = 0) -> float:
        """An even draw from [0, 1)."""
        return int.from_bytes(self._digest(account_id, client_order_id, what, n), "big") / _SPAN

    def happens(self, rate: float, account_id: str, client_order_id: str, what: str, n: int = 0) -> bool:
        """True with a probability of `rate`."""
        return rate > 0 and self.share(account_id, client_order_id, what, n) < rate

    def _digest(self, account_id: str, client_order_id: str, what: str, n: int) -> bytes:
        drawn = self._seeded.copy()
        drawn.update(f"\0{account_id}\0{client_order_id}\0{what}\0{n}".encode())
        return drawn.digest()
