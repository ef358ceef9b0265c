"""No test may find the credentials, the endpoints or the signals of whoever runs it."""

import os
import signal
import sys
from typing import Any

import pytest

from tests.support import sharing

# A shell that runs us in the background has us ignore SIGINT, nohup has us ignore SIGHUP, and with
# us all that we start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

os.environ |= {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
    del os.environ[name]
for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
    os.environ.pop(name, None)

# Else each program that a test starts would compile the package anew, and so would the next run.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Brings the long tests to the front where several workers share them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: sharing.place(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> sharing.Sharing:
    """Gives each worker pieces of `tests.support.sharing`, whatever `--dist` says."""
    config.option.loadscopereorder = False  # their order is that of the tests
    return sharing.Sharing(config, log)


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What started programs leave when they are killed lies with pytest's own files."""
    os.environ["TMPDIR"] = str(tmp_path_factory.mktemp("programs"))
