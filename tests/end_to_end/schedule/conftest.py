import re
from collections.abc import Iterator

import pytest

from tests.support.cloud import Cloud
from tests.support.programs import read_until
from tests.support.schedule_api import Api


@pytest.fixture(scope="module")
def server(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("schedule") / "schedule.db"
    with cloud.started(
        "schedule", "--port", "0", "--database", f"sqlite:///{path}", "--cluster", "none"
    ) as process:
        said = read_until(process, "serving the API")
        (url,) = re.findall(r"url=(\S+)", said)
        yield url


@pytest.fixture
def api(server: str) -> Api:
    api = Api(server)
    while jobs := api("GET", "/jobs?count=1000").json()["jobs"]:
        for job in jobs:
            api("DELETE", f"/jobs/{job['id']}")
    return api
