"""The rules of docs/explanation/architecture.md, kept true by reading the imports."""

import ast
import graphlib
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.support import sharing

ROOT = Path(__file__).parents[1] / "watchbot"
FILES = sorted(ROOT.rglob("*.py"))
TESTS = Path(__file__).parent
MOST_LINES = 400  # of a file of the tests

LAYERS = [  # a module imports from its own folder and from the lines above it
    "extras",
    "about errors inherited moment world outcome task_outcome watchdog address descriptors "
    "doorkeeper line_worker",
    "answers control credentials display patience settings stdout logs metrics",
    "ctl lifecycle api_model aws pages watchers",
    "dynamodb redis sqs sql web",
    "checkpoints failures task_record",
    "doctor healthcheck listen deadletter progress queues record schedule template send top",
    "console",
    "cdk local replay explain",
    "chaos",
    "cli",
    "__main__",
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}

OWNERS = {  # one door to each dangerous thing
    "aws_cdk": {"cdk/given.py", "cdk/props.py", "cdk/service.py"},
    "aioboto3": {"aws.py"},
    "aiobotocore": {"aws.py"},
    "aiohttp": {"listen/agent.py"},
    "boto3": set[str](),
    "cfn_flip": {"template/document.py"},
    "botocore": {"api_model.py", "aws.py", "credentials.py"},
    "httptools": {"listen/functions/http.py"},
    "moto": {
        *("local/attempts.py", "local/ecs.py", "local/letters.py"),
        *("local/moves.py", "local/server.py", "local/sqs.py", "local/tables.py"),
    },
    "opentelemetry": {"listen/tracing.py"},
    "prometheus_client": {"metrics.py"},
    "psycopg": {"sql/postgres.py"},
    "psycopg_pool": {"sql/postgres.py"},
    "questionary": {"deadletter/prompt.py"},
    "redis": {"redis.py"},
    "resource": {"descriptors.py", "doctor/collect.py", "listen/usage.py"},
    "signal": {
        "inherited.py",
        "lifecycle.py",
        "listen/care.py",
        "listen/orphans.py",
        "listen/process.py",
        "listen/spawn.py",
    },
    "sqlite3": {"sql/sqlite.py"},
    "subprocess": {"listen/spawn.py"},
    "uvicorn": {"doorkeeper.py", "web.py"},
    "troposphere": {f"template/{path.name}" for path in (ROOT / "template").iterdir()},
}
ROOMS = {  # a room of these folders imports from itself and from the lines above it
    "logs": ["line piped sink strangers", "setup worker", "handler"],
    "schedule": [
        "cron loop run_list",
        "job",
        "store",
        "runs start",
        "scheduler",
        "http",
        "imports",
        "custom_resource service",
    ],
}
# Settings are read in one place; a worker's variables are made in one, and read in one.
READERS_OF_THE_ENVIRONMENT = {
    "settings",
    "listen/environment.py",
    "logs/worker.py",
    "control.py",
    "line_worker.py",
}

every_file = pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())


def imports(tree: ast.AST) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@every_file
def test_imports_point_down(path: Path) -> None:
    home = path.relative_to(ROOT).parts[0].removesuffix(".py")
    if home == "__init__":
        return
    for name in imports(ast.parse(path.read_text())):
        target = name.split(".")[1] if name.startswith("watchbot.") else ""
        if target and not target.startswith("__"):
            assert target == home or LEVEL[target] < LEVEL[home], f"{home} imports {target}"


def run_time_imports(tree: ast.AST) -> list[str]:
    """The imports of the running program, also those inside functions."""
    names = imports(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            typed = imports(ast.Module(node.body, []))
            names = list((Counter(names) - Counter(typed)).elements())
    return names


def module_of(path: Path) -> str:
    return ".".join(("watchbot", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    )


def test_no_module_imports_itself_round_a_circle() -> None:
    modules = {module_of(path) for path in FILES}
    graph = {}
    for path in FILES:
        found = set()
        for name in run_time_imports(ast.parse(path.read_text())):
            found.add(name if name in modules else name.rpartition(".")[0])
        graph[module_of(path)] = (found & modules) - {module_of(path)}

    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle of imports: {' -> '.join(reversed(error.args[1]))}")


@pytest.mark.parametrize(
    "path",
    [path for folder in ROOMS for path in sorted((ROOT / folder).rglob("[!_]*.py"))],
    ids=lambda p: p.relative_to(ROOT).as_posix(),
)
def test_rooms_of_a_folder_import_in_one_direction(path: Path) -> None:
    folder, room = path.relative_to(ROOT).with_suffix("").parts[:2]
    floor = {room: level for level, rooms in enumerate(ROOMS[folder]) for room in rooms.split()}
    for name in imports(ast.parse(path.read_text())):
        if name.startswith(f"watchbot.{folder}."):
            target = name.split(".")[2]
            assert target == room or floor[target] < floor[room], f"{room} imports {target}"


@every_file
def test_one_door(path: Path) -> None:
    place = path.relative_to(ROOT).as_posix()
    for name in imports(ast.parse(path.read_text())):
        owners = OWNERS.get(name.split(".")[0])
        assert owners is None or place in owners, f"{name} belongs in {owners}"


@every_file
def test_environment_has_few_readers(path: Path) -> None:
    place = path.relative_to(ROOT)
    if not READERS_OF_THE_ENVIRONMENT & {place.as_posix(), place.parts[0]}:
        assert not re.search(r"os\.environ|getenv", path.read_text())


def named_in_architecture() -> dict[str, set[str]]:
    """The modules that the page's table names, by folder; "" is watchbot/ itself."""
    page = (ROOT.parent / "docs/explanation/architecture.md").read_text()
    named: dict[str, set[str]] = {"": set()}
    rooms = [""]
    for row in re.findall(r"^\|.*", page, re.MULTILINE):
        first = row.strip("|").partition("|")[0]
        if "`watchbot/" in first:
            rooms = re.findall(r"`watchbot/([\w/]+)/`", first) or [""]
        elif not first.startswith(" …"):
            continue
        for room in rooms:
            words = re.findall(r"`(?:watchbot/)?(\w+)(?:\.py)?`", row)
            named.setdefault(room, set()).update(words)
    return named


def test_page_of_the_architecture_names_every_module() -> None:
    named = named_in_architecture()

    for path in FILES:
        module = path.relative_to(ROOT)
        folders = [folder.as_posix().removeprefix(".") for folder in module.parents]
        room = next(folder for folder in folders if folder in named)
        is_named = path.stem.startswith("__") or path.stem in named[room]
        assert is_named, f"{module} has no row in architecture.md"


def test_page_of_the_states_names_modules_that_are_there() -> None:
    page = (ROOT.parent / "docs/explanation/states.md").read_text()

    for name in re.findall(r"`((?:listen|sqs)/\w+\.py)`", page):
        assert (ROOT / name).is_file(), f"states.md names {name}"


def test_recipes_for_changes_name_files_that_are_there() -> None:
    page = (ROOT.parent / "CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`((?:watchbot|tests|docs|generate)/[\w/.]+)`", page))

    assert {name for name in named if not (ROOT.parent / name).exists()} == set()


@pytest.mark.parametrize(
    "change",
    [
        *("An outcome", "An observer", "A runner", "A weight", "A SQL database", "A page"),
        *("A source of payloads", "A dialect of schedules"),
    ],
)
def test_change_has_a_recipe_that_names_its_place(change: str) -> None:
    page = (ROOT.parent / "CONTRIBUTING.md").read_text()
    recipe = re.search(rf"^\*\*{change}.*?(?=^\*\*|^## )", page, re.MULTILINE | re.DOTALL)

    assert recipe, f"CONTRIBUTING.md has no recipe for: {change}"
    assert re.search(r"- \[ \] .*`watchbot/\w+", recipe[0])


every_file_of_the_tests = pytest.mark.parametrize(
    "path", sorted(TESTS.rglob("*.py")), ids=lambda p: p.relative_to(TESTS).as_posix()
)


@every_file_of_the_tests
def test_file_of_the_tests_is_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= MOST_LINES, f"{lines} lines: split it by subject"


@every_file_of_the_tests
def test_nothing_imports_a_test(path: Path) -> None:
    for name in imports(ast.parse(path.read_text())):
        assert not re.match(r"tests\..*\btest_", name), f"{name} belongs in tests/support"


@pytest.mark.parametrize("tier", ["unit", "contract"])
def test_folders_of_a_tier_are_those_of_the_package(tier: str) -> None:
    for path in (TESTS / tier).rglob("test_*.py"):
        folder = path.parent.relative_to(TESTS / tier)
        assert (ROOT / folder).is_dir(), f"watchbot/{folder} is not there, as {path.name} says"


def test_name_of_a_class_has_one_meaning() -> None:
    homes: dict[str, list[str]] = {}
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(path.relative_to(ROOT).as_posix())
    # A job is what a schedule starts, which is its name in the API; and what a runner is given.
    homes.pop("Job")

    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


def test_files_that_are_shared_out_test_by_test_are_there() -> None:
    assert [name for name in sharing.APART if not (ROOT.parent / name).exists()] == []
