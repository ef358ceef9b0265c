"""The zip of `make lambda`, in an interpreter that has nothing else, as Lambda has it."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.building import PYTHON, made
from tests.support.cloud import Cloud
from tests.support.custom_resource import an_event, answers
from watchbot.schedule.custom_resource import physical_id

THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
MIB = 2**20

# Lambda keeps a process, and hands it one event after the other.
RUNTIME = """
import json, sys

sys.path.insert(0, sys.argv[1])
from watchbot.schedule.custom_resource import handler


class Context:
    def get_remaining_time_in_millis(self):
        return 30_000


for line in sys.stdin:
    handler(json.loads(line), Context())
"""


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, for the Python that runs the tests."""
    folder = tmp_path_factory.mktemp("lambda")
    made(sys.executable, "-m", "release.function", folder, THIS)
    (found,) = folder.iterdir()
    return found


def handled(folder: Path, cloud: Cloud, *events: dict[str, Any]) -> list[str]:
    """The answers to CloudFormation for these requests."""
    with answers() as (url, sent):
        lines = [json.dumps({**event, "ResponseURL": url}) for event in events]
        done = subprocess.run(
            [PYTHON, "-S", "-E", "-B", "-c", RUNTIME, folder], env=cloud.environment,
            input="\n".join(lines), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(body)["Status"] for body in sent]


def test_zip_is_small_and_for_one_python(function: Path) -> None:
    files = zipfile.ZipFile(function).infolist()
    top = {file.filename.partition("/")[0] for file in files}
    compiled = [file.filename for file in files if file.filename.endswith(".so")]

    assert function.stat().st_size < 50 * MIB  # Lambda takes no more
    assert sum(file.file_size for file in files) < 250 * MIB
    # Lambda brings its own boto3 and botocore; they are not those that aioboto3 is made for.
    assert top >= {"aioboto3", "aiobotocore", "boto3", "botocore"}
    assert not top & {"s3transfer", "pip", "uvloop", "moto", "troposphere"}
    assert compiled
    assert all(f"cpython-{THIS.replace('.', '')}-x86_64" in name for name in compiled)


def test_handler_carries_out_what_stacks_ask_for(
    function: Path, cloud: Cloud, tmp_path: Path
) -> None:
    zipfile.ZipFile(function).extractall(tmp_path)
    table = cloud.table("schedules")
    job = physical_id(an_event("Create"))

    told = handled(
        tmp_path,
        cloud,
        an_event("Create"),
        an_event("Create", CronTime="*/0 * * * *"),
        an_event("Update", job, CronTime="0 14 * * *"),
    )
    (row,) = cloud.items(table)
    gone = handled(tmp_path, cloud, an_event("Delete", job))

    assert told == ["SUCCESS", "FAILED", "SUCCESS"]
    assert (row["id"]["S"], row["cron_time"]["S"]) == (job, "0 14 * * *")
    assert gone == ["SUCCESS"]
    assert cloud.items(table) == []
