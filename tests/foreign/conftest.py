"""Every test runs on each server that has what it asks for: queues (`cloud`), or `tables`."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.foreign.lacks import LACKS
from tests.foreign.servers import DYNALITE, LOCALSTACK, MINISTACK, SERVERS
from tests.support.cloud import Cloud, running_cloud

WITH_QUEUES = (MINISTACK.name, LOCALSTACK.name)
WITH_TABLES = (MINISTACK.name, DYNALITE.name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "server" not in metafunc.fixturenames:
        return
    names = WITH_TABLES if "tables" in metafunc.fixturenames else WITH_QUEUES
    case = metafunc.function.__name__.removeprefix("test_")
    each = [pytest.param(name, marks=_lacking(name, case)) for name in names]
    metafunc.parametrize("server", each, indirect=True, scope="session")


def _lacking(name: str, case: str) -> list[pytest.MarkDecorator]:
    reason = LACKS[name].get(case)
    return [pytest.mark.xfail(raises=AssertionError, reason=reason)] if reason else []


@pytest.fixture(scope="session")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """The name and the URL of a server that runs."""
    chosen = SERVERS[request.param]
    if missing := chosen.missing():
        pytest.skip(missing)
    with chosen.running(tmp_path_factory.mktemp(chosen.name)) as url:
        yield chosen.name, url


@pytest.fixture(scope="session")
def cloud(server: tuple[str, str]) -> Iterator[Cloud]:
    with closing(Cloud(server[1])) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def tables(server: tuple[str, str]) -> Iterator[Cloud]:
    """A cloud with tables; its queues are moto's where the server has none."""
    name, url = server
    if name in WITH_QUEUES:
        with closing(Cloud(url)) as cloud:
            yield cloud
        return
    with running_cloud() as cloud, closing(Cloud(url)) as foreign:
        cloud.environment["AWS_ENDPOINT_URL_DYNAMODB"] = url
        cloud.dynamodb = foreign.dynamodb
        yield cloud
