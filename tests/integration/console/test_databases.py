"""Pages read databases that others write."""

import sqlite3
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

from watchbot.console.audit import open_audit
from watchbot.console.kept import KeptFailures
from watchbot.settings.base import AwsEndpoint


async def test_a_look_waits_for_no_writer(tmp_path: Path) -> None:
    file = tmp_path / "kept.db"
    audit = await open_audit(f"sqlite:///{file}")
    kept = KeptFailures(f"sqlite:///{file}", AwsEndpoint())
    async with AsyncExitStack() as house:
        await kept.start(house)
        with closing(sqlite3.connect(file, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")

            kinds, deeds = await kept.kinds(datetime.now(UTC)), await audit.deeds()

    assert (kinds, deeds) == ([], [])
