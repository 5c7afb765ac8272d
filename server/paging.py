"""Page tokens: opaque, and good only for the list that gave them, with every filter as it was."""

import base64
import binascii
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeVar

from domain.errors import InvalidArgument

_DEFAULT_SIZE: Final = 100
_LIST_BYTES: Final = 8
_CHECK_BYTES: Final = 4

ItemT = TypeVar("ItemT")


class InvalidPageToken(InvalidArgument):
    reason = "INVALID_PAGE_TOKEN"

    def __init__(self) -> None:
        super().__init__("page_token", "was not given for this list, or its filters have changed since")


class Page(NamedTuple):
    """What a list request asks for: up to `size` items after `key`, empty for the first page."""

    size: int
    key: str
    of: bytes

    @property
    def fetch(self) -> int:
        """How many to read: one more than asked for tells whether there is a next page."""
        return self.size + 1

    def cut(self, items: Sequence[ItemT], key: Callable[[ItemT], object]) -> tuple[Sequence[ItemT], str]:
        """The page's items, and its next_page_token; `key` names the place after an item."""
        if len(items) <= self.size:
            return items, ""
        items = items[: self.size]
        return items, _token(self.of, str(key(items[-1])))


def page_of(request: Any) -> Page:
    """The page that a list request (with page_size and page_token) asks for; raises InvalidPageToken."""
    of = _fingerprint(request)
    key = _key(of, request.page_token) if request.page_token else ""
    return Page(request.page_size or _DEFAULT_SIZE, key, of)


def number(page: Page) -> int | None:
    """The key as the number it is in lists by sequence; None for the first page."""
    if not page.key:
        return None
    try:
        return int(page.key)
    except ValueError:
        raise InvalidPageToken from None


def _fingerprint(request: Any) -> bytes:
    filters = type(request)()
    filters.CopyFrom(request)
    filters.ClearField("page_token")
    filters.ClearField("page_size")
    content = request.DESCRIPTOR.full_name.encode() + b"\0" + filters.SerializeToString(deterministic=True)
    return blake2b(content, digest_size=_LIST_BYTES).digest()


def _token(of: bytes, key: str) -> str:
    content = of + key.encode()
    return base64.urlsafe_b64encode(content + _check(content)).decode().rstrip("=")


def _key(of: bytes, token: str) -> str:
    try:
        data = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        content, check = data[:-_CHECK_BYTES], data[-_CHECK_BYTES:]
        if check != _check(content) or content[:_LIST_BYTES] != of:
            raise InvalidPageToken
        return content[_LIST_BYTES:].decode()
    except (binascii.Error, ValueError):
        raise InvalidPageToken from None


def _check(content: bytes) -> bytes:
    return blake2b(content, digest_size=_CHECK_BYTES).digest()
