"""Sign-In with Ethereum to the letter: what the grammar has is read as it stands, and everything else is refused."""

from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct

from identity.access_errors import MalformedSignIn, SignInRefused
from identity.address import to_text
from identity.rfc3339 import read_instant
from identity.signature import compact
from identity.siwe import Here, Message, parse, personal_digest, verify
from identity.uri import is_authority, is_uri
from tests.actors import CONSUMER, STRANGER

HERE = Here(domain="exchange.example:8080", uri="https://exchange.example:8080", chain_id=1337)
ISSUED = "2026-06-21T05:30:00Z"
NOW = read_instant(ISSUED)
MESSAGE = Message(
    domain=HERE.domain,
    address=CONSUMER.address,
    uri=HERE.uri,
    chain_id=1337,
    nonce="32891756ab",
    issued_at=ISSUED,
    statement="I accept the Terms of Service: https://service.example/tos",
    expires_at="2026-06-21T05:35:00Z",
    not_before="2026-06-21T05:29:00Z",
    request_id="some_id%20",
    resources=(
        "ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/",
        "https://example.com/my-claim.json",
    ),
)
BARE = replace(MESSAGE, statement=None, expires_at=None, not_before=None, request_id=None, resources=None)


def signature_of(message, actor=CONSUMER):
    return actor.sign(personal_digest(message.text()))


def judged(message, signature=None, here=HERE, now=NOW + 1):
    verify(message, signature or signature_of(message), here, now, most_seconds=300, ahead_seconds=60)


# Form


def test_the_example_of_the_standard_is_read_and_written_as_it_stands():
    text = (
        "example.com wants you to sign in with your Ethereum account:\n"
        "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2\n"
        "\n"
        "I accept the ExampleOrg Terms of Service: https://example.com/tos\n"
        "\n"
        "URI: https://example.com/login\n"
        "Version: 1\n"
        "Chain ID: 1\n"
        "Nonce: 32891756\n"
        "Issued At: 2021-09-30T16:25:24Z\n"
        "Resources:\n"
        "- ipfs://bafybeiemxf5abjwjbikoz4mc3a3dla6ual3jsgpdr4cjr3oz3evfyavhwq/\n"
        "- https://example.com/my-web2-claim.json"
    )
    message = parse(text)
    assert (message.domain, message.nonce, message.chain_id) == ("example.com", "32891756", 1)
    assert message.statement == "I accept the ExampleOrg Terms of Service: https://example.com/tos"
    assert message.text() == text
    with_scheme = parse("https://" + text)
    assert (with_scheme.scheme, with_scheme.domain) == ("https", "example.com")


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        BARE,
        replace(MESSAGE, statement=None),
        replace(BARE, resources=()),
        replace(BARE, request_id=""),
        replace(BARE, scheme="https"),
        replace(BARE, domain="user:pass@[::ffff:1.2.3.4]:80"),
        replace(BARE, issued_at="2026-06-21T07:30:00.123456+02:00"),
        replace(BARE, uri="urn:isbn:0451450523"),
    ],
    ids=["all fields", "none", "no statement", "no resource", "empty id", "scheme", "literal", "zone", "urn"],
)
def test_what_is_written_is_read_as_it_was(message):
    assert parse(message.text()) == message


def line(number, text):
    """The bare message with one line replaced."""
    lines = BARE.text().split("\n")
    lines[number] = text
    return "\n".join(lines)


WRONG = {
    "nothing": "",
    "one line": "exchange.example wants you to sign in with your Ethereum account:",
    "no domain": line(0, " wants you to sign in with your Ethereum account:"),
    "domain with a space": line(0, "a b wants you to sign in with your Ethereum account:"),
    "domain with a path": line(0, "a.example/b wants you to sign in with your Ethereum account:"),
    "scheme that is none": line(0, "1://a.example wants you to sign in with your Ethereum account:"),
    "another greeting": line(0, "a.example wants you to sign in with your ethereum account:"),
    "address without checksum": line(1, to_text(CONSUMER.address).lower()),
    "address with a wrong checksum": line(1, to_text(CONSUMER.address).swapcase().replace("0X", "0x")),
    "address of another length": line(1, to_text(CONSUMER.address)[:-1]),
    "no empty line before the statement": BARE.text().replace("\n\n\n", "\n\n", 1),
    "no empty line after the statement": MESSAGE.text().replace("tos\n\n", "tos\n", 1),
    "statement of two lines": replace(BARE, statement="one\ntwo").text(),
    "statement with a quote": replace(BARE, statement='say "yes"').text(),
    "statement with a percent sign": replace(BARE, statement="100 %").text(),
    "statement in another script": replace(BARE, statement="здравствуйте").text(),
    "uri without scheme": replace(BARE, uri="exchange.example").text(),
    "uri with a space": replace(BARE, uri="https://a.example/b c").text(),
    "uri with half an octet": replace(BARE, uri="https://a.example/%2").text(),
    "version 2": BARE.text().replace("Version: 1", "Version: 2"),
    "version with a space behind": BARE.text().replace("Version: 1", "Version: 1 "),
    "chain in hexadecimal": BARE.text().replace("Chain ID: 1337", "Chain ID: 0x539"),
    "chain with a leading zero": BARE.text().replace("Chain ID: 1337", "Chain ID: 01337"),
    "chain in other digits": BARE.text().replace("Chain ID: 1337", "Chain ID: ١٣٣٧"),
    "no chain": BARE.text().replace("Chain ID: 1337", "Chain ID: "),
    "short nonce": replace(BARE, nonce="1234567").text(),
    "nonce with a dash": replace(BARE, nonce="12345-678").text(),
    "instant that is a date": replace(BARE, issued_at="2026-06-21").text(),
    "instant without a zone": replace(BARE, issued_at="2026-06-21T05:30:00").text(),
    "thirtieth of February": replace(BARE, issued_at="2026-02-30T05:30:00Z").text(),
    "expiry that is none": replace(BARE, expires_at="never").text(),
    "request id with a space": replace(BARE, request_id="a b").text(),
    "resource without scheme": replace(BARE, resources=("a/b",)).text(),
    "resource without dash": replace(BARE, resources=("a:b",)).text().replace("- a:b", "a:b"),
    "fields in another order": MESSAGE.text()
    .replace("Not Before: 2026-06-21T05:29:00Z\n", "")
    .replace("Expiration Time", "Not Before: 2026-06-21T05:29:00Z\nExpiration Time"),
    "a field twice": BARE.text().replace("Nonce: ", "Nonce: 32891756ab\nNonce: "),
    "a line behind": BARE.text() + "\n",
    "a line before": "\n" + BARE.text(),
    "line ends of another system": BARE.text().replace("\n", "\r\n"),
    "a field nobody knows": BARE.text() + "\nWeather: fine",
    "too long": replace(BARE, statement="a" * 5_000).text(),
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_the_grammar_does_not_have_is_refused(text):
    assert parse(BARE.text()) == BARE
    with pytest.raises(MalformedSignIn):
        parse(text)


# Judgement


def test_a_wallets_signature_signs_in():
    signed = Account.sign_message(encode_defunct(text=MESSAGE.text()), CONSUMER.key)
    judged(parse(MESSAGE.text()), compact(bytes(signed.signature)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"domain": "evil.example"}, "evil.example"),
        ({"scheme": "http"}, "http"),
        ({"uri": "https://evil.example"}, "URI"),
        ({"uri": HERE.uri + "/"}, "URI"),
        ({"chain_id": 1}, "chain 1"),
        ({"issued_at": "2026-06-21T05:24:59Z"}, "more than 300 s"),
        ({"issued_at": "2026-06-21T05:31:02Z"}, "future"),
        ({"expires_at": "2026-06-21T05:30:01Z"}, "over"),
        ({"not_before": "2026-06-21T05:30:02Z"}, "not come"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_sign_in_for_elsewhere_or_for_another_time_does_not_count(change, why):
    judged(MESSAGE)
    with pytest.raises(SignInRefused, match=why):
        judged(replace(MESSAGE, **change))


def test_a_sign_in_by_somebody_else_does_not_count():
    with pytest.raises(SignInRefused, match="did not sign"):
        judged(MESSAGE, signature_of(MESSAGE, STRANGER))
    with pytest.raises(SignInRefused):
        judged(MESSAGE, bytes(64))
    with pytest.raises(SignInRefused):
        judged(replace(MESSAGE, statement="another"), signature_of(MESSAGE))


# What the grammar leans on


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-06-21T05:30:00Z", 1_782_019_800),
        ("2026-06-21t07:30:00.999+02:00", 1_782_019_800),
        ("2024-02-29T23:59:59-00:30", 1_709_252_999),
        ("2016-12-31T23:59:60Z", 1_483_228_800),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ],
)
def test_an_instant_is_read(text, seconds):
    assert read_instant(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-06-21T05:30Z",
        "2026-06-21 05:30:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-06-31T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2026-06-21T24:00:00Z",
        "2026-06-21T05:60:00Z",
        "2026-06-21T05:30:60Z",
        "2026-06-21T05:30:00.Z",
        "2026-06-21T05:30:00+0200",
        "2026-06-21T05:30:00+24:00",
        "2026-06-21T05:30:00ZZ",
        "٢٠٢٦-06-21T05:30:00Z",
    ],
)
def test_what_is_no_instant_is_refused(text):
    with pytest.raises(ValueError):
        read_instant(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://a",
        "https://a.b:80/c/d?e=f#g",
        "urn:a:b",
        "mailto:a@b",
        "file:///a",
        "a:",
        "http://[::1]:8080/",
        "x://%41",
        "http://a:/",
    ],
)
def test_a_uri_is_known(text):
    assert is_uri(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "//a",
        ":a",
        "1a:b",
        "http://a b",
        "http://a/ü",
        "http://[::1",
        "http://a:8o/",
        "a:#b#c",
        "a:[b]",
        "a:%4",
    ],
)
def test_what_is_no_uri_is_refused(text):
    assert not is_uri(text)


@pytest.mark.parametrize(
    ("literal", "is_one"),
    [
        ("1:2:3:4:5:6:7:8", True),
        ("::", True),
        ("::1", True),
        ("1::", True),
        ("1:2:3:4:5:6:1.2.3.4", True),
        ("v1.a:b", True),
        ("1:2:3:4:5:6:7", False),
        ("1:2:3:4:5:6:7:8:9", False),
        ("1::2::3", False),
        ("1:2:3:4:5:6:7::", True),
        ("1:2:3:4:5:6:7::8", False),
        ("1:2:3:4::5:6:7:8", False),
        ("12345::", False),
        ("::1.2.3.256", False),
        ("::01.2.3.4", False),
        ("1.2.3.4::", False),
        ("g::", False),
        ("v.a", False),
        ("", False),
    ],
)
def test_an_ipv6_literal_is_read_by_the_grammar(literal, is_one):
    assert is_authority(f"[{literal}]") is is_one
