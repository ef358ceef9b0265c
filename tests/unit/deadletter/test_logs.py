"""The logs of a message: the newest 50 KB of however many pages there are."""

from typing import Any

from watchbot.aws import Client
from watchbot.deadletter.logs import NEWEST_BYTES, recent


class Raw:
    """boto's client of a log group that has these pages."""

    def __init__(self, *pages: list[str]) -> None:
        self._pages = pages
        self.requests: list[dict[str, Any]] = []

    async def filter_log_events(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        place = int(request.get("nextToken", "0"))
        more = {"nextToken": str(place + 1)} if place + 1 < len(self._pages) else {}
        return {"events": [{"message": line} for line in self._pages[place]], **more}


async def shown(raw: Raw, group: str = "workers") -> str:
    return await recent(Client("logs", raw), group, "some-id", 60)


async def test_lines_of_all_pages_are_shown_in_order() -> None:
    raw = Raw(["one", "two\n"], [], ["three"])

    assert await shown(raw) == "one\ntwo\nthree\n"
    assert {request["filterPattern"] for request in raw.requests} == {'"some-id"'}


async def test_group_may_be_named_by_its_arn() -> None:
    raw = Raw([])

    assert await shown(raw, "arn:aws:logs:us-east-1:123456789012:log-group:a/b:*") == ""
    assert raw.requests[0]["logGroupName"] == "a/b"


async def test_no_more_than_the_newest_is_shown() -> None:
    pages = [[f"{page} {'é' * 500}" for _ in range(50)] for page in range(4)]

    text = await shown(Raw(*pages))

    assert len(text.encode()) <= NEWEST_BYTES
    assert set(text.split()) == {"2", "3", "é" * 500}


async def test_line_that_is_longer_than_that_is_cut_at_its_beginning() -> None:
    text = await shown(Raw(["é" * NEWEST_BYTES + "end"]))

    assert NEWEST_BYTES - 2 <= len(text.encode()) <= NEWEST_BYTES
    assert text.endswith("end\n")
