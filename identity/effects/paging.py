"""Pages of a list: how long they are, and the header that names the next one (RFC 8288)."""

from typing import Annotated

from fastapi import Query, Request, Response

Limit = Annotated[int, Query(ge=1, le=1_000, description="how many a page holds at most")]


def link_next(request: Request, response: Response, cursor: str | int | None) -> None:
    """Name the next page in a Link header, where there is one."""
    if cursor is not None:
        url = request.url.include_query_params(cursor=cursor)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
