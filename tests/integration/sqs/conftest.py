from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.support.sqs_server import sqs_server_process


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with sqs_server_process() as url:
        yield url


@pytest.fixture
def sqs(url: str) -> Iterator[Any]:
    client = boto3.client("sqs", endpoint_url=url)
    yield client
    client.close()
