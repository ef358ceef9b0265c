"""Makes docs/explanation/dependencies.md from pyproject.toml, constraints.txt and the reasons below."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
REASONS: dict[
    str, tuple[str, str, str]
] = {  # licence, what it does for us, and the modules that import it
    "aioboto3": ("Apache-2.0", "calls AWS, with AWS's own models and signatures", "`aws.py`"),
    "anyio": ("MIT", "task groups and cancellation that leave nothing behind", "everywhere"),
    "click": ("BSD-3-Clause", "flags, help, completion", "`cli/`"),
    "httptools": (
        "MIT",
        "reads HTTP for Lambda's Runtime API, in a sixth of the time of aiohttp's server",
        "`listen/`",
    ),
    "jinja2": ("BSD-3-Clause", "escapes and lays out the pages", "`pages/`"),
    "prometheus-client": (
        "Apache-2.0, BSD-2-Clause",
        "metrics, in the format that Prometheus reads",
        "`metrics.py`",
    ),
    "pydantic": (
        "MIT",
        "checks jobs and settings, and says what is wrong",
        "`settings/`, `schedule/`",
    ),
    "pydantic-settings": ("MIT", "reads settings from variables", "`settings/`"),
    "starlette": ("BSD-3-Clause", "routes of pages and APIs", "`pages/`, `web.py`"),
    "uvicorn": ("BSD-3-Clause", "serves them", "`web.py`, `doorkeeper.py`"),
    "uvloop": ("MIT or Apache-2.0", "a faster event loop; runs without it, too", "`lifecycle.py`"),
    "aws-cdk-lib": ("Apache-2.0", "the construct for CDK", "`cdk/`"),
    "moto": ("Apache-2.0", "the AWS in memory", "`local/`"),
    "flask": ("BSD-3-Clause", "serves it, as moto needs it", "none: moto's"),
    "flask-cors": ("MIT", "serves it, as moto needs it", "none: moto's"),
    "opentelemetry-sdk": ("Apache-2.0", "spans", "`listen/tracing.py`"),
    "opentelemetry-exporter-otlp-proto-http": ("Apache-2.0", "sends them", "`listen/tracing.py`"),
    "psycopg": ("LGPL-3.0-only", "PostgreSQL, with a pool", "`sql/postgres.py`"),
    "redis": ("MIT", "Redis for map-reduce", "`redis.py`"),
    "fastapi": ("MIT", "the scheduler's API and its description", "`schedule/http/`"),
    "tzdata": ("Apache-2.0", "time zones, where the system has none", "none: Python's `zoneinfo`"),
    "cyclonedx-bom": ("Apache-2.0", "the list of parts of a release", "`release/`"),
    "troposphere": (
        "BSD-2-Clause",
        "checks resources of CloudFormation as they are built",
        "`template/`",
    ),
    "cfn-flip": ("Apache-2.0", "templates as YAML", "`template/document.py`"),
    "questionary": ("MIT", "the conversation of `watchbot dead-letter`", "`deadletter/prompt.py`"),
    "rich": ("MIT", "tables, and `watchbot top`", "`display.py`"),
}
_START = """\
# Dependencies: each with its reason

Each library is here for one thing, is imported through [one door](architecture.md), and only by the command that needs
it. All versions, also those of what these need, are pinned in [constraints.txt](../../constraints.txt). This page is made by `make docs`.

| library | version | licence | for | imported by |
|---|---|---|---|---|
"""
_END = """
## What a start takes

Nine starts of each in turns, on a machine of two busy cores; CPU time is what the load changes least. A command imports
only what it needs: `watchbot-log` and `watchbot ctl`, which a worker may call often, import nothing of the above.

| command | shortest | CPU, median | memory |
|---|---|---|---|
| `watchbot-log` | 0.02 s | 0.02 s | 14 MB |
| `watchbot ctl` | 0.03 s | 0.03 s | 14 MB |
| `watchbot --version` | 0.07 s | 0.07 s | 22 MB |
| `watchbot tasks running`, up to the open of its database | 0.20 s | 0.21 s | 39 MB |
| `watchbot listen --help` | 0.18 s | 0.19 s | 37 MB |
| `watchbot template`, a whole stack | 0.21 s | 0.22 s | 43 MB |
| `watchbot --help`, which reads every command | 0.21 s | 0.24 s | 40 MB |

## Known faults

`make audit` asks PyPI for known faults of every pinned version; it needs the network. A release carries the list of
its parts (CycloneDX), with checksums.

## What could go

| library | what it would take |
|---|---|
| aioboto3 | aiobotocore does all that we use; aioboto3 pins which aiobotocore, botocore and boto3 fit together |
| flask, flask-cors | moto's server needs them; they leave with the extra `local` |
| httptools | aiohttp is there already, and costs six times as much a call, and hands on trailers as headers |
| uvloop | nothing: all works without it, more slowly |
| jinja2 | pages by hand, and their escaping with them: not wanted |
| cfn-flip | JSON alone; YAML would be lost |
"""


def dependencies_page() -> str:
    """The text of the page. An added library without a reason is a KeyError."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    parts = [_START, *(_row(_name(each), "") for each in project["dependencies"])]
    for extra in sorted(extras.keys() - {"dev"}):
        names = [_name(each) for each in extras[extra] if not each.startswith("watchbot-sqs")]
        parts += [_row(name, f" (`{extra}`)") for name in names]
    return "".join((*parts, _END))


def _name(requirement: str) -> str:
    return re.split(r"[\[><=; ]", requirement, maxsplit=1)[0]


def _row(name: str, extra: str) -> str:
    licence, reason, door = REASONS[name]
    return f"| {name}{extra} | {_pinned(name)} | {licence} | {reason} | {door} |\n"


def _pinned(name: str) -> str:
    pins = (ROOT / "constraints.txt").read_text()
    found = re.search(rf"^{re.escape(name)}==(\S+)", pins, re.M | re.I)
    return found[1] if found else "any"
