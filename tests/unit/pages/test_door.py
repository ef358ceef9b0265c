"""Who is let in at a service's pages, and what is refused at the start."""

import pytest

from watchbot.errors import SettingError
from watchbot.pages.door import check_door, host_of, site_of
from watchbot.pages.gate import Gate

OURS = "http://127.0.0.1:5000"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "scheduler.example.com", ""])
def test_strangers_need_a_token(host: str) -> None:
    with pytest.raises(SettingError, match="WATCHBOT_TOKEN"):
        check_door(host, None)
    check_door(host, "s3cret")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.7"])
def test_this_machine_needs_none(host: str) -> None:
    check_door(host, None)


@pytest.mark.parametrize(
    "token",
    [
        *("", "  ", "\n", "$TOKEN", "${TOKEN}", "$(cat token)", "<token>"),
        *("{{resolve:secretsmanager:x}}", "arn:aws:secretsmanager:eu-west-1:1:secret:x"),
    ],
)
def test_what_is_no_secret_is_refused_everywhere(token: str) -> None:
    with pytest.raises(SettingError, match="set it to the secret itself"):
        check_door("127.0.0.1", token)


def test_page_of_the_record_names_its_own_options() -> None:
    with pytest.raises(SettingError, match=r"--http-host .*--http-token"):
        check_door("0.0.0.0", None, "http_")


def test_names_and_sites_are_read_as_browsers_write_them() -> None:
    assert [host_of(text) for text in ("a:5000", "[::1]:5000", "A", "[x")] == ["a", "::1", "a", ""]
    assert site_of("https://a.example/") == site_of("https://a.example:443")
    assert site_of("http://a.example") != site_of("https://a.example")


@pytest.mark.parametrize(
    ("origin", "path", "authorization", "served"),
    [
        (None, "/jobs", "", True),
        (OURS, "/page/jobs/j/run", "", True),
        ("https://jobs.example.com", "/page/jobs/j/run", "", True),
        ("https://guest.example", "/v1/jobs", "Bearer x", True),
        ("https://guest.example", "/page/jobs/j/run", "", False),
        ("https://guest.example", "/v1/jobs/j/run", "Basic x", False),
        ("https://evil.example", "/jobs", "", False),
        ("null", "/jobs", "", False),
    ],
)
async def test_requests_of_other_sites(
    origin: str | None, path: str, authorization: str, *, served: bool
) -> None:
    reached: list[str] = []
    sent: list[dict[str, object]] = []

    async def app(scope: object, receive: object, send: object) -> None:
        reached.append(path)

    async def send(message: object) -> None:
        assert isinstance(message, dict)
        sent.append(message)

    headers = {"host": "127.0.0.1:5000", "authorization": authorization}
    headers |= {"origin": origin} if origin else {}
    scope = {
        "type": "http",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    gate = Gate(app, "https://jobs.example.com", ["https://guest.example"])

    await gate(scope, receive, send)

    assert bool(reached) == served
    if not served:
        assert "--public-url" in str(sent[-1]["body"])


async def receive() -> dict[str, object]:
    return {"type": "http.request", "body": b""}
