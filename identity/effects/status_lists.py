"""Fetching status lists: over HTTPS from places that were named beforehand, bounded in time and size.

The address of a list stands in a credential, which a stranger may have written: what does not begin with one of the
named places is not fetched, and a redirection is not followed. Whatever goes wrong, the list cannot be had.
"""

from collections.abc import Iterable

import httpx2

from identity.errors import IdentityRefused

MOST_BYTES = 1 << 20
TIMEOUT_SECONDS = 5.0

_LOOPBACK = ("http://127.0.0.1:", "http://localhost:", "http://[::1]:")


class StatusPlaceRefused(IdentityRefused, ValueError):
    """What was named as a place to fetch status lists from is none."""

    code = "status-place-refused"

    def __init__(self, place: str) -> None:
        super().__init__(f"{place} is not the beginning of an https address, up to a slash")
        self.place = place


class StatusLists:
    """A source of status lists; `places` are the beginnings of addresses that may be fetched, each ending in `/`."""

    def __init__(self, places: Iterable[str], http: httpx2.Client | None = None) -> None:
        self._places = tuple(places)
        for place in self._places:
            if not place.startswith(("https://", *_LOOPBACK)) or not place.endswith("/"):
                raise StatusPlaceRefused(place)
        self._http = httpx2.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False) if http is None else http

    def __call__(self, url: str) -> str | None:
        """Return the list's credential as text; none where it cannot be had."""
        if not url.startswith(self._places) or "/../" in url:
            return None
        try:
            with self._http.stream("GET", url) as answer:
                return _text(answer) if answer.status_code == httpx2.codes.OK else None
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeDecodeError):
            return None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _text(answer: httpx2.Response) -> str | None:
    found = bytearray()
    for piece in answer.iter_bytes():
        found += piece
        if len(found) > MOST_BYTES:
            return None
    return found.decode()
