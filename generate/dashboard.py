"""Makes docs/dashboards/watchbot.json: a dashboard for Grafana."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from generate.expression import checked

_WIDTH, _HEIGHT, _COLUMNS = 8, 8, 3
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_OURS = 'job=~"$job",instance=~"$instance"'
_OF_QUEUE = 'SELF,queue=~"$queue"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A panel: expressions by the legend of their lines; SELF stands for the chosen watchers."""

    title: str
    lines: Mapping[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    stacked: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def _heat_map(title: str, metric: str) -> Panel:
    lines = {"{{le}}": f"sum by (le) (increase({metric}_bucket{{SELF}}[$__rate_interval]))"}
    options = {"calculate": False, "yAxis": {"unit": "s"}, "color": {"scheme": "Oranges"}}
    return Panel(title=title, lines=lines, kind="heatmap", unit="s", options=options)


def _rate(metric: str, by: str = "") -> str:
    grouped = f"sum by ({by}) " if by else "sum "
    return f"{grouped}(rate({metric}[$__rate_interval]))"


def _quantile(share: float, metric: str) -> str:
    return f"histogram_quantile({share}, {_rate(f'{metric}_bucket{{SELF}}', 'le')})"


_ONCE = 'watchbot_message_receives_bucket{SELF,le="1.0"}'

PANELS = [
    Panel(
        title="Messages settled, by outcome",
        lines={"{{outcome}}": _rate(f"watchbot_messages_settled_total{{{_OF_QUEUE}}}", "outcome")},
        unit="ops",
        stacked=True,
    ),
    Panel(
        title="Messages in the queues",
        lines={
            "{{queue}} {{state}}": f"max by (queue, state) (watchbot_queue_messages{{{_OF_QUEUE}}})"
        },
    ),
    Panel(
        title="Messages settled, by queue",
        lines={
            "{{queue}}": _rate(f"watchbot_messages_settled_total{{{_OF_QUEUE}}}", "queue"),
        },
        unit="ops",
        stacked=True,
    ),
    Panel(
        title="Age of the oldest message received last",
        lines={
            "{{queue}}": "max by (queue)"
            f" (watchbot_queue_oldest_message_age_seconds{{{_OF_QUEUE}}})"
        },
        unit="s",
    ),
    Panel(
        title="Workers",
        lines={
            "busy": "sum (watchbot_workers_busy{SELF})",
            "in hand": f"sum (watchbot_messages_in_hand{{{_OF_QUEUE}}})",
            "limit": "sum (watchbot_workers_limit{SELF})",
        },
    ),
    _heat_map("How long workers ran", "watchbot_worker_duration_seconds"),
    _heat_map("From sent to settled", "watchbot_response_duration_seconds"),
    Panel(
        title="How long workers ran",
        lines={
            "p50": _quantile(0.5, "watchbot_worker_duration_seconds"),
            "p95": _quantile(0.95, "watchbot_worker_duration_seconds"),
        },
        unit="s",
    ),
    Panel(
        title="Received once, and again",
        lines={
            "once": _rate(_ONCE),
            "again": f"{_rate('watchbot_message_receives_count{SELF}')} - {_rate(_ONCE)}",
        },
        unit="ops",
    ),
    Panel(
        title="Leases lost",
        lines={"lost": "sum (increase(watchbot_leases_lost_total{SELF}[$__rate_interval]))"},
    ),
    Panel(
        title="Calls of AWS that failed",
        lines={
            "{{operation}} {{result}}": _rate(
                'watchbot_aws_requests_total{SELF,result!="ok"}', "operation, result"
            )
        },
        unit="ops",
    ),
    Panel(
        title="Notifications",
        lines={
            "{{result}}": "sum by (result)"
            " (increase(watchbot_notifications_total{SELF}[$__rate_interval]))"
        },
    ),
    Panel(
        title="Breaker open",
        lines={"{{instance}}": "max by (instance) (watchbot_breaker_open{SELF})"},
    ),
    Panel(
        title="Paused",
        lines={"{{queue}}": f"max by (queue) (watchbot_paused{{{_OF_QUEUE}}})"},
    ),
    Panel(
        title="Lines that workers printed",
        lines={"{{stream}}": _rate("watchbot_log_lines_total{SELF}", "stream")},
        unit="ops",
    ),
    Panel(
        title="Since the queue last answered",
        lines={
            "{{instance}} {{queue}}": "time() - max by (instance, queue)"
            f" (watchbot_last_receive_timestamp_seconds{{{_OF_QUEUE}}})"
        },
        unit="s",
    ),
    Panel(
        title="Versions",
        lines={"{{version}}": "count by (version) (watchbot_build_info{SELF})"},
    ),
]


def expressions() -> list[str]:
    """Every expression of the dashboard, with Grafana's variables in it."""
    return [
        checked(line.replace("SELF", _OURS)) for panel in PANELS for line in panel.lines.values()
    ]


def dashboard() -> str:
    """The text of the file."""
    return (
        json.dumps(
            {
                "title": "watchbot",
                "uid": "watchbot",
                "tags": ["watchbot"],
                "schemaVersion": 39,
                "editable": True,
                "refresh": "30s",
                "time": {"from": "now-6h", "to": "now"},
                "templating": {"list": _variables()},
                "panels": [_panel(number, panel) for number, panel in enumerate(PANELS)],
            },
            indent=1,
        )
        + "\n"
    )


def _variables() -> list[dict[str, Any]]:
    source = {"name": "datasource", "type": "datasource", "query": "prometheus"}
    asked = {
        "job": "label_values(watchbot_build_info, job)",
        "instance": 'label_values(watchbot_build_info{job=~"$job"}, instance)',
        "queue": 'label_values(watchbot_messages_received_total{job=~"$job"}, queue)',
    }
    return [source] + [
        {
            "name": name,
            "type": "query",
            "datasource": _SOURCE,
            "query": checked(query),
            "definition": query,
            "includeAll": True,
            "multi": True,
            "refresh": 2,
            "current": {"text": "All", "value": "$__all"},
        }
        for name, query in asked.items()
    ]


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS)
    stacking = {"stacking": {"mode": "normal"}, "fillOpacity": 40} if panel.stacked else {}
    return {
        "id": number + 1,
        "title": panel.title,
        "type": panel.kind,
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0, "custom": stacking}},
        "options": panel.options,
        "targets": [
            {
                "refId": "ABCDEF"[place],
                "datasource": _SOURCE,
                "expr": checked(line.replace("SELF", _OURS)),
                "legendFormat": legend,
                "format": "heatmap" if panel.kind == "heatmap" else "time_series",
            }
            for place, (legend, line) in enumerate(panel.lines.items())
        ],
    }
