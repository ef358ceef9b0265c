"""The list of what the servers lack: its names are names of cases, and readers find it."""

import re

from tests.foreign.lacks import LACKS
from tests.foreign.servers import HERE, ROOT, SERVERS

PAGE = ROOT / "docs" / "explanation" / "servers.md"


def test_each_lack_is_one_of_a_known_server_and_case() -> None:
    cases = set(re.findall(r"^def test_(\w+)", (HERE / "test_servers.py").read_text(), re.M))

    assert LACKS.keys() == SERVERS.keys()
    assert {case for lacks in LACKS.values() for case in lacks} <= cases


def test_page_names_each_server_and_each_lack() -> None:
    page = " ".join(PAGE.read_text().split())

    assert all(name in page.lower() for name in SERVERS)
    assert [
        reason for lacks in LACKS.values() for reason in lacks.values() if reason not in page
    ] == []
