"""Makes docs/dashboards/alerts.yml: rules for Prometheus."""

from dataclasses import dataclass

from generate.expression import checked


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """A rule: its condition, its severity, and the text for the person on call."""

    name: str
    when: str
    lasting: str = "0m"
    severity: str = "warning"
    summary: str
    mend: str


ALERTS = [
    Alert(
        name="WatchbotGone",
        when="absent(watchbot_build_info)",
        lasting="5m",
        severity="critical",
        summary="No watcher answers.",
        mend="Look at the service's events and the last lines of its log.",
    ),
    Alert(
        name="WatchbotNotReceiving",
        # A watcher with all slots taken, or an open breaker, does not ask for more.
        when="(time() - watchbot_last_receive_timestamp_seconds > 300)"
        " and on (job, instance) (sum by (job, instance) (watchbot_messages_in_hand)"
        " < sum by (job, instance) (watchbot_workers_limit))"
        " and on (job, instance) (watchbot_breaker_open == 0)"
        " unless (watchbot_paused == 1)",
        lasting="2m",
        severity="critical",
        summary="The queue {{ $labels.queue }} has not answered {{ $labels.instance }} for five"
        " minutes.",
        mend="Ask /readyz of the watcher, or run `watchbot doctor`.",
    ),
    Alert(
        name="WatchbotBreakerOpen",
        when="max by (job) (watchbot_breaker_open) == 1",
        severity="critical",
        summary="Every message fails alike, so the watcher has stopped receiving.",
        mend="The command or its configuration is broken: roll back the last deployment.",
    ),
    Alert(
        name="WatchbotFailing",
        when="sum by (job, queue)"
        ' (rate(watchbot_messages_settled_total{outcome=~"failed|timed_out"}[15m]))'
        " / sum by (job, queue) (rate(watchbot_messages_settled_total[15m])) > 0.5",
        lasting="5m",
        summary="More than half of the jobs of {{ $labels.queue }} fail.",
        mend="Search the log for [failure]; see what the failures have in common.",
    ),
    Alert(
        name="WatchbotBacklogOld",
        when="max by (job, queue) (watchbot_queue_oldest_message_age_seconds) > 3600"
        " unless max by (job, queue) (watchbot_paused) == 1",
        lasting="10m",
        summary="Messages of {{ $labels.queue }} wait for more than an hour.",
        mend="Add workers (--concurrency, or tasks), or find out why jobs got slow.",
    ),
    Alert(
        name="WatchbotTooFewWorkers",
        when="sum by (job) (watchbot_workers_busy) >= sum by (job) (watchbot_workers_limit)"
        ' and max by (job) (watchbot_queue_messages{state="visible"}'
        " unless on (job, instance, queue) watchbot_paused == 1) > 0",
        lasting="1h",
        summary="All workers have been busy for an hour, and more messages wait.",
        mend="Add workers (--concurrency, or tasks).",
    ),
    Alert(
        name="WatchbotLeasesLost",
        when="sum by (job, queue) (increase(watchbot_leases_lost_total[15m])) > 0",
        summary="Leases of messages of {{ $labels.queue }} ended early: these may run twice.",
        mend="Look for refused or slow SQS calls; set a longer --visibility-timeout.",
    ),
    Alert(
        name="WatchbotAwsErrors",
        when='sum by (job) (rate(watchbot_aws_requests_total{result!~"ok|error"}[5m]))'
        " / sum by (job) (rate(watchbot_aws_requests_total[5m])) > 0.1",
        lasting="10m",
        summary="AWS refuses more than a tenth of the calls.",
        mend="Read the label result; let `watchbot doctor` check permissions and endpoints.",
    ),
    Alert(
        name="WatchbotNotificationsLost",
        when="sum by (job)"
        ' (increase(watchbot_notifications_total{result=~"failed|dropped"}[15m])) > 0',
        summary="Some failures were not published to the topic.",
        mend="Check the topic and sns:Publish; the log has every failure.",
    ),
]

_START = """\
# Made by `make docs`. Put it next to prometheus.yml, and name it under rule_files.
groups:
  - name: watchbot
    rules:
"""


def alerts() -> str:
    """The text of the file."""
    return _START + "".join(_rule(alert) for alert in ALERTS)


def _rule(alert: Alert) -> str:
    return f"""\
      - alert: {alert.name}
        expr: >-
          {checked(alert.when)}
        for: {alert.lasting}
        labels:
          severity: {alert.severity}
        annotations:
          summary: "{alert.summary}"
          description: "{alert.mend}"
"""
