"""The page of `watchbot record`, in a real browser."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from examples.record.lives import lives
from tests.support.browser import chromium
from tests.support.cloud import Cloud
from tests.support.programs import read_until


def test_timeline_in_a_browser(cloud: Cloud, tmp_path: Path) -> None:
    queue = cloud.queue("lives")
    made = [life for life in lives(40, hours=5, end=datetime.now(UTC)) if life.events]
    cloud.send_many(queue, [json.dumps(event) for life in made for event in life.events])
    database = f"sqlite:///{tmp_path}/ecs.db"
    options = ["--queue-url", queue, "--database", database, "--poll-wait", "1"]
    assert cloud.watchbot("record", *options, "--exit-when-empty").returncode == 0
    picture = tmp_path / "timeline.png"

    with cloud.started("record", *options, "--http-port", "0") as recorder:
        (url,) = re.findall(r"serving the page url=(\S+)", read_until(recorder, "serving the page"))
        document = chromium(tmp_path / "profile", "--dump-dom", f"{url}/timeline?since=6h")
        chromium(tmp_path / "profile", f"--screenshot={picture}", "--enable-logging=stderr",
                 f"{url}/timeline?since=6h")  # fmt: skip

    drawn = sum(life.started_at is not None for life in made)
    assert document.count("<rect") == drawn
    assert f"{drawn} tasks" in document
    assert picture.read_bytes().startswith(b"\x89PNG")
