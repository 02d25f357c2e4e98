"""Whether a text is a URI or an authority, by the grammar of RFC 3986. Nothing is changed or guessed.

https://www.rfc-editor.org/rfc/rfc3986#appendix-A
"""

_ALPHA = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGIT = frozenset("0123456789")
_HEX = _DIGIT | frozenset("abcdefABCDEF")
UNRESERVED = _ALPHA | _DIGIT | frozenset("-._~")
SUB_DELIMS = frozenset("!$&'()*+,;=")
RESERVED = SUB_DELIMS | frozenset(":/?#[]@")
_PCHAR = UNRESERVED | SUB_DELIMS | frozenset(":@")


def is_scheme(text: str) -> bool:
    """Say whether a text is a scheme: a letter, then letters, digits, `+`, `-`, `.`."""
    return text[:1] in _ALPHA and (_ALPHA | _DIGIT | frozenset("+-.")).issuperset(text) if text else False


def is_uri(text: str) -> bool:
    """Say whether a text is a URI: a scheme, a hierarchical part, perhaps a query and a fragment."""
    scheme, colon, rest = text.partition(":")
    if not colon or not is_scheme(scheme):
        return False
    rest, _, fragment = rest.partition("#")
    rest, _, query = rest.partition("?")
    if not (_made_of(fragment, _PCHAR | frozenset("/?")) and _made_of(query, _PCHAR | frozenset("/?"))):
        return False
    if rest.startswith("//"):
        authority, slash, path = rest[2:].partition("/")
        return is_authority(authority) and _made_of(slash + path, _PCHAR | frozenset("/"))
    return _made_of(rest, _PCHAR | frozenset("/"))


def is_authority(text: str) -> bool:
    """Say whether a text is an authority: perhaps user information, a host (which may be empty), perhaps a port."""
    user, at, rest = text.rpartition("@")
    if at and not _made_of(user, UNRESERVED | SUB_DELIMS | frozenset(":")):
        return False
    if rest.startswith("["):
        literal, bracket, port = rest[1:].partition("]")
        return bool(bracket) and _is_literal(literal) and (not port or (port[0] == ":" and _DIGIT.issuperset(port[1:])))
    host, _, port = rest.partition(":")
    return _made_of(host, UNRESERVED | SUB_DELIMS) and _DIGIT.issuperset(port)


def is_segment(text: str) -> bool:
    """Say whether a text is made of what may stand between two slashes of a path (`*pchar`)."""
    return _made_of(text, _PCHAR)


def _made_of(text: str, allowed: frozenset[str]) -> bool:
    """Say whether a text holds nothing but allowed characters and percent-encoded octets."""
    first, *parts = text.split("%")
    return allowed.issuperset(first) and all(
        len(part) >= 2 and _HEX.issuperset(part[:2]) and allowed.issuperset(part[2:]) for part in parts
    )


def _is_literal(text: str) -> bool:
    if text[:1] in ("v", "V"):
        version, dot, rest = text[1:].partition(".")
        return (
            bool(version and dot and rest)
            and _HEX.issuperset(version)
            and (UNRESERVED | SUB_DELIMS | frozenset(":")).issuperset(rest)
        )
    left, gap, right = text.partition("::")
    if not gap:
        return _groups(text) == 8
    before, after = (0 if not left else _groups(left, tail=False)), (0 if not right else _groups(right))
    return before >= 0 and after >= 0 and before + after <= 7


def _groups(text: str, *, tail: bool = True) -> int:
    """Return how many groups of sixteen bits a run of an IPv6 address has, or a large negative number for no run.

    The last two may be an IPv4 address where `tail` says so.
    """
    parts = text.split(":")
    count = len(parts)
    if tail and "." in parts[-1]:
        if not _is_ipv4(parts.pop()):
            return -99
        count += 1
    return count if all(0 < len(part) <= 4 and _HEX.issuperset(part) for part in parts) else -99


def _is_ipv4(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(
        _DIGIT.issuperset(part) and 0 < len(part) <= 3 and int(part) < 256 and str(int(part)) == part for part in parts
    )
