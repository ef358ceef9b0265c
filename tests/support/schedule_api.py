"""A `watchbot schedule` that runs, by HTTP."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.support.cloud import Cloud
from tests.support.programs import read_until

JSON = {"content-type": "application/json"}
NEVER_SOON = "0 0 0 * * 1 1 2190"


class Api:
    """A `watchbot schedule` that runs, by HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named = {**JSON, **named}
        data = body if isinstance(body, (bytes, str)) or body is None else json.dumps(body)
        return requests.request(method, self.url + path, data=data, headers=named, timeout=10)

    def make(self, job_id: str, **fields: Any) -> None:
        made = self("POST", "/jobs", {"id": job_id, "schedule": NEVER_SOON, **fields})
        assert made.status_code == 201, made.text

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self("GET", f"/jobs/{job_id}").json()
        return found


@contextmanager
def a_scheduler(cloud: Cloud, database: str) -> Iterator[Api]:
    """A scheduler on a free port, until the block is left."""
    with cloud.started("schedule", "--port", "0", "--database", database) as process:
        (url,) = re.findall(r"API url=(\S+)", read_until(process, "serving the API"))
        yield Api(url)
