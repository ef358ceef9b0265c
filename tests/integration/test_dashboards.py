"""Checks docs/dashboards/ with Prometheus's own tool."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from generate.alerts import ALERTS
from generate.dashboard import dashboard, expressions
from generate.expression import checked

HOME = Path(__file__).parents[2] / "docs/dashboards"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None,
    reason="promtool is not installed: apt-get install prometheus",
)


def promtool(*words: str) -> str:
    done = subprocess.run(
        ["promtool", *words], cwd=HOME, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_alerts_are_rules() -> None:
    assert f"SUCCESS: {len(ALERTS)} rules found" in promtool("check", "rules", "alerts.yml")


@needs_promtool
def test_alerts_fire_when_they_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


def test_each_alert_is_tested() -> None:
    tested = re.findall(r"alertname: (\w+)", (HOME / "alerts_test.yml").read_text())

    assert set(tested) == {alert.name for alert in ALERTS}


@needs_promtool
def test_dashboard_asks_in_promql(tmp_path: Path) -> None:
    said = [each.replace("$__rate_interval", "5m") for each in expressions()]
    rules = [{"record": f"x:{place}", "expr": each} for place, each in enumerate(said)]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "x", "rules": rules}]}))

    assert "SUCCESS" in promtool("check", "rules", str(tmp_path / "rules.yml"))


def test_dashboard_has_no_two_panels_in_one_place() -> None:
    panels = json.loads(dashboard())["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}

    assert len(places) == len({panel["id"] for panel in panels}) == len(panels)


@pytest.mark.parametrize(
    "expression",
    [
        "rate(watchbot_nothing_total[5m])",
        "watchbot_worker_duration_seconds",
        'watchbot_messages_settled_total{outcome="lost"}',
        'watchbot_messages_settled_total{colour="red"}',
    ],
)
def test_what_the_catalogue_lacks_cannot_be_named(expression: str) -> None:
    with pytest.raises(LookupError):
        checked(expression)
