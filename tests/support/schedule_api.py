"""A `watchbot schedule` that runs, by HTTP."""

import json
from typing import Any

import requests

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
