"""Page tokens."""

import base64

import pytest

from quantmesh.trading.v1.account_service_pb2 import ListAccountsRequest
from quantmesh.trading.v1.order_query_pb2 import ListFillsRequest, ListOrdersRequest
from server.paging import InvalidPageToken, number, page_of


def test_without_a_token_the_first_hundred_are_meant() -> None:
    page = page_of(ListOrdersRequest(account_id="a"))
    assert (page.size, page.key, page.fetch, number(page)) == (100, "", 101, None)


def test_a_page_ends_where_the_next_begins() -> None:
    items, token = page_of(ListOrdersRequest(account_id="a", page_size=2)).cut([5, 4, 3], lambda item: item)
    assert items == [5, 4]
    following = page_of(ListOrdersRequest(account_id="a", page_size=7, page_token=token))
    assert (number(following), following.size) == (4, 7)


def test_the_last_page_has_no_token() -> None:
    assert page_of(ListOrdersRequest(page_size=3)).cut([1, 2, 3], str) == ([1, 2, 3], "")


def test_keys_may_be_any_text() -> None:
    request = ListAccountsRequest(page_size=1)
    _, request.page_token = page_of(request).cut(["ä/1", "b"], str)
    assert page_of(request).key == "ä/1"


def test_a_key_that_should_be_a_number_and_is_none_is_refused() -> None:
    request = ListOrdersRequest(page_size=1)
    _, request.page_token = page_of(request).cut(["x", "y"], str)
    with pytest.raises(InvalidPageToken):
        number(page_of(request))


def _token() -> str:
    return page_of(ListOrdersRequest(account_id="a", page_size=1)).cut([2, 1], str)[1]


@pytest.mark.parametrize(
    "other",
    [
        ListOrdersRequest(account_id="b"),
        ListOrdersRequest(account_id="a", symbol="X"),
        ListOrdersRequest(account_id="a", open_only=True),
        ListFillsRequest(account_id="a"),
    ],
    ids=str,
)
def test_a_token_is_good_for_its_own_list_alone(other: ListOrdersRequest) -> None:
    other.page_token = _token()
    with pytest.raises(InvalidPageToken):
        page_of(other)


def test_every_changed_byte_is_noticed() -> None:
    data = bytearray(base64.urlsafe_b64decode(_token() + "=="))
    for place in range(len(data)):
        changed = bytes(byte ^ (1 if place == i else 0) for i, byte in enumerate(data))
        token = base64.urlsafe_b64encode(changed).decode().rstrip("=")
        with pytest.raises(InvalidPageToken):
            page_of(ListOrdersRequest(account_id="a", page_token=token))
