"""Fetching status lists: from named places only, and whatever goes wrong, the list cannot be had."""

import httpx2
import pytest

from identity.effects.status_lists import MOST_BYTES, StatusLists

PLACE = "https://status.example/lists/"


def source(answer):
    """A source whose every request is answered by `answer`; the requests made are kept beside it."""
    asked = []

    def reply(request):
        asked.append(str(request.url))
        return answer(request)

    return StatusLists([PLACE], httpx2.Client(transport=httpx2.MockTransport(reply))), asked


def test_a_list_of_a_named_place_is_fetched():
    lists, asked = source(lambda _: httpx2.Response(200, text="a.b.c"))
    assert lists(PLACE + "1") == "a.b.c"
    assert asked == [PLACE + "1"]
    lists.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/lists/1",
        "https://status.example/other/1",
        "https://status.example.evil.example/lists/1",
        "http://status.example/lists/1",
        "http://169.254.169.254/latest",
        PLACE + "../../admin",
        "file:///etc/passwd",
        "",
    ],
)
def test_nothing_else_is_even_asked_for(url):
    lists, asked = source(lambda _: httpx2.Response(200, text="a.b.c"))
    assert lists(url) is None
    assert asked == []


def unreachable(request):
    raise httpx2.ConnectError("nobody there", request=request)


def slow(request):
    raise httpx2.ReadTimeout("too slow", request=request)


@pytest.mark.parametrize(
    ("wrong", "answer"),
    [
        ("gone", lambda _: httpx2.Response(404, text="a.b.c")),
        ("elsewhere", lambda _: httpx2.Response(302, headers={"Location": PLACE + "2"})),
        ("failing", lambda _: httpx2.Response(500)),
        ("too large", lambda _: httpx2.Response(200, content=b"a" * (MOST_BYTES + 1))),
        ("no text", lambda _: httpx2.Response(200, content=b"\xff\xfe")),
        ("unreachable", unreachable),
        ("slow", slow),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_list_that_does_not_come_whole_and_at_once_cannot_be_had(wrong, answer):
    lists, asked = source(answer)
    assert lists(PLACE + "1") is None
    assert asked == [PLACE + "1"], "no redirection is followed"


def test_the_largest_list_that_is_taken_is_taken():
    lists, _ = source(lambda _: httpx2.Response(200, content=b"a" * MOST_BYTES))
    assert len(lists(PLACE + "1") or "") == MOST_BYTES


@pytest.mark.parametrize("place", ["https://status.example", "http://status.example/", "ftp://status.example/"])
def test_a_place_that_would_let_strangers_choose_is_not_taken(place):
    with pytest.raises(ValueError, match="https"):
        StatusLists([place])
