"""All texts about outcomes and exit codes agree with the table."""

import re
from pathlib import Path

import watchbot
from generate.files import FILES
from generate.outcomes import outcomes_table
from tests.support.stacks import options
from watchbot.cli.listen import listen
from watchbot.metrics import CATALOGUE
from watchbot.outcome import FAILURE, NAMES, TABLE

ROOT = Path(__file__).parents[2]


def test_readme_and_reference_have_the_table() -> None:
    assert outcomes_table("docs") in (ROOT / "README.md").read_text(encoding="utf-8")
    assert outcomes_table("..") in FILES["docs/reference/worker.md"]()


def test_help_has_each_row() -> None:
    for row in TABLE:
        assert re.search(rf"^{re.escape(row.end.replace('`', ''))} .*{row.outcome.name}",
                         listen.help or "", re.M)  # fmt: skip


def test_metrics_have_the_names_as_labels() -> None:
    (entry,) = [each for each in CATALOGUE if each.name == "watchbot_messages_settled_total"]
    assert tuple(entry.labels["outcome"]) == NAMES


def test_dashboard_and_alerts_name_no_other_outcome() -> None:
    for name in ("docs/dashboards/alerts.yml", "docs/dashboards/watchbot.json"):
        for found in re.findall(r'outcome=~?\\?"([a-z_|]+)\\?"', FILES[name]()):
            assert set(found.split("|")) <= {*NAMES, "success", "failure"}


def test_filters_of_the_template_catch_the_mark_of_a_failure() -> None:
    made = watchbot.template(options())["Resources"]
    patterns = [
        each["Properties"]["FilterPattern"]
        for each in made.values()
        if each["Type"] == "AWS::Logs::MetricFilter"
    ]
    assert any(f"[{FAILURE}]" in pattern for pattern in patterns)
    assert any(f'worker_event = "{FAILURE}"' in pattern for pattern in patterns)
