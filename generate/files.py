"""Lists the generated files, each with the function that makes it."""

from collections.abc import Callable
from functools import partial

from generate.alerts import alerts
from generate.api_page import api_jobs_page, api_page, api_runs_page
from generate.cdk_props import cdk_props
from generate.chart import chart, values_schema
from generate.commands_page import command_page, commands_page
from generate.dashboard import dashboard
from generate.dependencies_page import dependencies_page
from generate.metrics_page import metrics_page
from generate.refusals_page import refusals_page
from generate.stacks import STACKS
from generate.template_page import permissions_page, template_page
from generate.terraform import TERRAFORM
from generate.worker_page import worker_page
from watchbot.cli import COMMANDS

FILES: dict[str, Callable[[], str]] = {
    "watchbot/cdk/props.py": cdk_props,
    "charts/watchbot/Chart.yaml": chart,
    "charts/watchbot/values.schema.json": values_schema,
    "docs/dashboards/alerts.yml": alerts,
    "docs/dashboards/watchbot.json": dashboard,
    "docs/explanation/dependencies.md": dependencies_page,
    "docs/reference/api.md": api_page,
    "docs/reference/api-jobs.md": api_jobs_page,
    "docs/reference/api-runs.md": api_runs_page,
    "docs/reference/commands.md": commands_page,
    **{f"docs/reference/commands/{name}.md": partial(command_page, name) for name in COMMANDS},
    "docs/reference/metrics.md": metrics_page,
    "docs/reference/refusals.md": refusals_page,
    "docs/reference/permissions.md": permissions_page,
    "docs/reference/template.md": template_page,
    "docs/reference/worker.md": worker_page,
    **STACKS,
    **TERRAFORM,
}
