"""How symbols are written: `AAPL` for a share, `EUR/USD` for a pair (one unit of the first, priced in the second)."""


def pair(base: str, quote: str) -> str:
    """The symbol of the market that prices one `base` in `quote`."""
    return f"{base}/{quote}"
