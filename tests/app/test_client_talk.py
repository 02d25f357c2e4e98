"""Talking to an exchange without a network: what is tried again, what is not, and what is believed."""

import json

import pytest

from app.client.errors import AnswerMalformed, ExchangeUnreachable, Refused
from app.client.following import Following
from app.client.talk import Answer, Lost, Patience, Pause, Request, ask, document_of, refusal_of

REQUEST = Request("GET", "/v1/meta")
PATIENCE = Patience(tries=3, first_seconds=0.5, longest_seconds=10)


def answer(status=200, body=b"{}", **headers):
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)


def problem(status, code, **headers):
    return answer(status, json.dumps({"code": code, "detail": "so it is"}).encode(), **headers)


def held(*answers):
    """Hold a talk with these answers; return how it ended, and the pauses it made."""
    talk, pauses, rest = ask(REQUEST, PATIENCE), [], list(answers)
    step = next(talk)
    try:
        while True:
            if isinstance(step, Pause):
                pauses.append(step.seconds)
                step = talk.send(None)
            else:
                assert step == REQUEST
                step = talk.send(rest.pop(0))
    except StopIteration as end:
        assert not rest, "nothing is asked that was answered"
        return end.value, pauses
    except (Refused, ExchangeUnreachable) as error:
        return error, pauses


def test_an_answer_ends_the_talk():
    assert held(answer()) == (answer(), [])


def test_what_got_lost_is_asked_for_again_and_each_time_later():
    assert held(Lost("reset"), Lost("reset"), answer()) == (answer(), [0.5, 1.0])


def test_what_gets_lost_every_time_is_given_up():
    ended, pauses = held(Lost("reset"), Lost("reset"), Lost("no route"))
    assert isinstance(ended, ExchangeUnreachable)
    assert "no route" in str(ended)
    assert len(pauses) == 2


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_an_exchange_that_wants_to_be_asked_again_is(status):
    assert held(problem(status, "overloaded", retry_after="3"), answer()) == (answer(), [3.0])


def test_an_exchange_that_is_broken_for_good_is_not_asked_again():
    ended, pauses = held(problem(503, "journal-broken"))
    assert (ended.code, ended.status, pauses) == ("journal-broken", 503, [])


@pytest.mark.parametrize(("status", "after"), [(422, "1"), (409, "1"), (500, "1"), (429, "3600"), (503, "soon")])
def test_what_would_be_refused_again_is_not_asked_again(status, after):
    ended, pauses = held(problem(status, "no", retry_after=after))
    assert (ended.code, pauses) == ("no", [])


@pytest.mark.parametrize("status", [502, 503, 504])
@pytest.mark.parametrize("body", [b"<html>Bad Gateway</html>", b"", b"{}"])
def test_what_did_not_reach_an_exchange_is_tried_again(status, body):
    assert held(answer(status, body), answer()) == (answer(), [0.5])


@pytest.mark.parametrize("after", ["\u00b2", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 5_000])
def test_a_time_that_is_none_or_too_long_is_not_waited_for(after):
    ended, pauses = held(problem(503, "overloaded", retry_after=after))
    assert (ended.code, pauses) == ("overloaded", [])


def test_who_is_refused_every_time_hears_why():
    ended, pauses = held(*[problem(503, "overloaded", retry_after="1")] * 3)
    assert (ended.code, ended.detail, pauses) == ("overloaded", "so it is", [1.0, 1.0])


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"7", b"[" * 100_000, b"\xff"])
def test_a_refusal_that_is_no_problem_is_one_all_the_same(body):
    refused = refusal_of(answer(502, body))
    assert (refused.status, refused.code) == (502, "http-error")


@pytest.mark.parametrize("body", [b"<html>", b"", b"[" * 100_000, b"\xff"])
def test_an_answer_that_cannot_be_read_is_named_so(body):
    with pytest.raises(AnswerMalformed):
        document_of(answer(200, body))


# Following


def test_a_follower_waits_longer_with_every_failure_and_not_after_a_success():
    following = Following((), None, None)
    assert [following.pause() for _ in range(6)] == [2, 4, 8, 16, 30, 30]
    list(following.feed(b"retry: 500\n\n"))
    assert following.pause() == 0.5


def test_a_follower_comes_back_when_it_is_asked_to():
    assert Following((), None, None).refused(problem(503, "overloaded", retry_after="7")) == 7
    with pytest.raises(Refused):
        Following((), None, None).refused(problem(422, "malformed-cursor"))


@pytest.mark.parametrize("raw", [b"id: 1\ndata: {\n\n", b"id: 1\ndata: []\n\n", b"data: {}\n\n"])
def test_an_event_that_cannot_be_read_is_named_so(raw):
    with pytest.raises(AnswerMalformed):
        list(Following((), None, None).feed(raw))


@pytest.mark.parametrize("chunk", [b"x" * (1 << 20), b"data: " + b"1" * (1 << 20) + b"\n"], ids=["a line", "lines"])
def test_an_event_without_end_is_not_read_for_ever(chunk):
    following = Following((), None, None)
    with pytest.raises(AnswerMalformed, match="no end"):
        for _ in range(20):
            list(following.feed(chunk))
    assert [event.id for event in Following((), None, None).feed(b"id: 1\ndata: {}\n\n" * 2)] == ["1", "1"]


def test_a_pause_that_is_no_number_is_passed_over():
    following = Following((), None, None)
    list(following.feed("retry: \u00b2\n\n".encode()))
    assert following.pause() == 2


def test_words_of_farewell_are_no_events():
    following = Following((), None, "5")
    assert list(following.feed(b'event: dropped\ndata: {"why":"slow"}\n\nevent: ended\ndata: {}\n\n')) == []
    assert following.last_id == "5"
