"""How a source's failures are told: one maker for each, so that all providers say the same of the same."""

from domain.errors import PreconditionFailed, Throttled, Unavailable, Violation

_RETRY_SECONDS = 5.0


def unavailable(provider: str, what: str) -> Unavailable:
    """The source does not answer, or answers nonsense; `what` is a clause such as "its answer is no JSON"."""
    return Unavailable(f"{provider}: {what}", reason="MARKET_DATA_UNAVAILABLE", provider=provider)


def rate_limited(provider: str, retry_after_seconds: float | None = None) -> Throttled:
    """`retry_after_seconds` as the source said; None when it did not."""
    wait = _RETRY_SECONDS if retry_after_seconds is None else retry_after_seconds
    return Throttled(f"{provider}: its rate limit is reached", wait, provider=provider)


def key_refused(provider: str, remedy: str) -> PreconditionFailed:
    """`remedy` is the line that sets the key."""
    return _failed("PROVIDER_NOT_CONFIGURED", provider, f"the key was refused; set {remedy}")


def not_configured(provider: str, lacks: str, remedy: str) -> PreconditionFailed:
    """`lacks` is a clause such as "the package massive is not installed"; `remedy` the line to run or to set."""
    return _failed("PROVIDER_NOT_CONFIGURED", provider, f"{lacks}; {remedy}")


def not_capable(provider: str, what: str) -> PreconditionFailed:
    """The source, or the plan that the key is of, does not have it."""
    return _failed("PROVIDER_NOT_CAPABLE", provider, what)


def _failed(reason: str, provider: str, what: str) -> PreconditionFailed:
    violation = Violation(reason, provider, what)
    return PreconditionFailed(f"{provider}: {what}", [violation], reason=reason, provider=provider)
