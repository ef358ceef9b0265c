"""Who may call the API of `watchbot schedule`: pages of other sites, and holders of the token."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.support.cloud import Cloud
from tests.support.programs import read_until

SITE, OTHER = "https://console.example.com", "https://evil.example.com"


@contextmanager
def serving(cloud: Cloud, path: Path, *options: str) -> Iterator[str]:
    database = f"sqlite:///{path}/s.db"
    with cloud.started("schedule", "--port", "0", "--database", database, *options) as process:
        (url,) = re.findall(r"url=(\S+)", read_until(process, "serving the API"))
        yield url


def preflight(url: str, origin: str) -> requests.Response:
    asked = {
        "origin": origin,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "authorization, content-type",
    }
    return requests.options(f"{url}/v1/jobs", headers=asked, timeout=10)


def test_preflight_of_an_allowed_site_needs_no_token(cloud: Cloud, tmp_path: Path) -> None:
    with serving(cloud, tmp_path, "--cors-origin", SITE, "--token", "s3cret") as url:
        allowed, refused = preflight(url, SITE), preflight(url, OTHER)
        bare = requests.get(f"{url}/jobs", headers={"origin": SITE}, timeout=10)

    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == SITE
    assert "PUT" in allowed.headers["access-control-allow-methods"]
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    assert refused.status_code == 400
    assert "access-control-allow-origin" not in refused.headers
    assert bare.status_code == 401  # the request itself needs the token


def test_no_site_is_allowed_by_default(cloud: Cloud, tmp_path: Path) -> None:
    with serving(cloud, tmp_path) as url:
        answer = preflight(url, SITE)

    assert "access-control-allow-origin" not in answer.headers


def test_token_that_is_not_ascii_opens(cloud: Cloud, tmp_path: Path) -> None:
    token = "schlüssel"
    with serving(cloud, tmp_path, "--token", token) as url:
        statuses = [
            requests.get(
                f"{url}/jobs", headers={"authorization": b"Bearer " + sent}, timeout=10
            ).status_code
            for sent in (token.encode(), token.encode("latin-1"), b"schl?ssel", b"")
        ]

    assert statuses == [200, 200, 401, 401]
