"""The modules for Terraform: read, laid out, and worked out by Terraform itself where it is here.

The provider of AWS is not needed: the part of a module that calls AWS is left aside.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from generate.stacks import stack_of
from generate.terraform import MODULES, options_of, templated

hcl2 = pytest.importorskip("hcl2", reason="no python-hcl2 here")

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "terraform"
FILES = sorted(FOLDER.rglob("*.tf"))
TERRAFORM = shutil.which("terraform")
needs_terraform = pytest.mark.skipif(TERRAFORM is None, reason="no terraform here")
CALLS_AWS = {"main.tf", "versions.tf", "outputs.tf"}  # of the module `stack`
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:key-a1b2c3"
GIVEN: dict[str, Any] = {
    "env": {"BUCKET": "pictures", "QUOTED": 'a "b" ${c} %{d} <e>'},
    "secrets": {
        "KEY": f"{SECRET}:part::",
        "OTHER": "arn:aws:ssm:eu-west-1:123456789012:parameter/other",
    },
    "permissions": [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::pictures/*"},
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": ["*"]},
    ],
}
NEEDED: dict[str, Any] = {
    "image": "example.com/pictures:1",
    "command": "./resize.sh",
    "handler": "app.handler",
    "cluster": "blue",
    "subnets": ["subnet-1", "subnet-2"],
    "security_groups": ["sg-1"],
    "database": SECRET,
    "token": SECRET,
    "task_definitions": ["arn:aws:ecs:eu-west-1:123456789012:task-definition/report:*"],
    "task_roles": ["arn:aws:iam::123456789012:role/report"],
    "function_bucket": "my-bucket",
    "function_key": "watchbot.zip",
}
STACKS = [(module, name) for module, names in MODULES.items() for name in names]


def variables(module: str) -> set[str]:
    names: set[str] = set()
    for file in (FOLDER / "modules" / module).glob("*.tf"):
        for block in hcl2.loads(file.read_text()).get("variable", []):
            names |= {name.strip('"') for name in block}
    return names


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    assert TERRAFORM
    return subprocess.run(
        [TERRAFORM, *words],
        cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "CHECKPOINT_DISABLE": "1"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The modules without the part that calls AWS, which shows what it would be called with."""
    folder = tmp_path_factory.mktemp("terraform") / "modules"
    shutil.copytree(FOLDER / "modules", folder)
    for name in CALLS_AWS:
        (folder / "stack" / name).unlink()
    outputs = ("body", "parameters", "problems")
    inner = "".join(f'output "{name}" {{\n  value = local.{name}\n}}\n' for name in outputs)
    (folder / "stack/outputs.tf").write_text(inner)
    for module in MODULES:
        (folder / module / "versions.tf").unlink()
        (folder / module / "outputs.tf").write_text(inner.replace("local.", "module.stack."))
        assert run(folder / module, "init", "-input=false").returncode == 0
    return folder


def worked_out(modules: Path, module: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs. Raises `ValueError` with what Terraform said, if it refuses the variables."""
    folder = modules / module
    (folder / "given.tfvars.json").write_text(json.dumps(given))
    done = run(folder, "apply", "-input=false", "-no-color", "-auto-approve",
               "-var-file=given.tfvars.json")  # fmt: skip
    if done.returncode:
        raise ValueError(done.stderr)
    return {name: each["value"] for name, each in
            json.loads(run(folder, "output", "-json").stdout).items()}  # fmt: skip


def fitting(module: str, name: str) -> dict[str, Any]:
    asked = stack_of(name)["Parameters"]
    known = {option.title().replace("_", ""): option for option in options_of(module)}
    needed = {known[each]: NEEDED[known[each]] for each in asked if "Default" not in asked[each]}
    variant = {"variant": name} if len(MODULES[module]) > 1 else {}
    return {"name": "pictures", **variant, **needed}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(FOLDER).as_posix())
def test_file_is_hcl(file: Path) -> None:
    assert hcl2.loads(file.read_text())


@needs_terraform
def test_files_are_laid_out_as_terraform_wants() -> None:
    done = run(ROOT, "fmt", "-check", "-recursive", "-no-color", "terraform")

    assert (done.returncode, done.stdout) == (0, "")


@needs_terraform
@pytest.mark.parametrize(("module", "name"), STACKS)
def test_module_makes_the_stack_that_watchbot_template_makes(
    modules: Path, module: str, name: str
) -> None:
    made = worked_out(modules, module, {**fitting(module, name), **GIVEN})

    assert json.loads(made["body"]) == json.loads(
        json.dumps(stack_of(name, service="pictures", **GIVEN))
    )
    assert len(made["body"]) < 51_200  # bytes that CloudFormation takes as a text
    assert made["problems"] == []


@needs_terraform
def test_nothing_more_is_there_than_was_asked_for(modules: Path) -> None:
    made = json.loads(worked_out(modules, "service", fitting("service", "fargate"))["body"])

    plain = json.loads(json.dumps(stack_of("fargate", service="pictures")))
    (container,) = made["Resources"]["WatchbotTaskDefinition"]["Properties"]["ContainerDefinitions"]
    assert container.pop("Secrets") == []
    assert made == plain


@needs_terraform
def test_values_are_the_parameters_of_the_stack(modules: Path) -> None:
    more = {"max_size": 20, "public_ip": "ENABLED"}

    made = worked_out(modules, "service", {**fitting("service", "fargate"), **more})

    assert made["parameters"] == {
        "Image": "example.com/pictures:1",
        "Command": "./resize.sh",
        "Subnets": "subnet-1,subnet-2",
        "MaxSize": "20",
        "PublicIp": "ENABLED",
    }


@needs_terraform
@pytest.mark.parametrize(
    ("module", "wrong", "said"),
    [
        ("service", {"max_size": 0}, "max_size must be a whole number of 1 to 5000."),
        ("service", {"max_size": 1.5}, "max_size must be a whole number of 1 to 5000."),
        ("service", {"public_ip": "yes"}, "public_ip must be one of ENABLED, DISABLED."),
        ("service", {"variant": "lambda"}, "variant must be one of fargate,"),
        ("service", {"name": "1st"}, "name must be a letter, then letters"),
        ("service", {"secrets": {"KEY": "hunter2"}}, "secrets must be ARNs of Secrets Manager"),
        ("service", {"permissions": ["s3:*"]}, "permissions must be a list of statements"),
        ("record", {"log_retention_days": 2}, "log_retention_days must be one of 1, 3,"),
    ],
)
def test_variable_that_does_not_fit_is_refused(
    modules: Path, module: str, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match="Invalid value for variable") as refused:
        worked_out(modules, module, {**fitting(module, MODULES[module][0]), **wrong})

    assert said in " ".join(refused.value.args[0].replace("│", " ").split())


@needs_terraform
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"command": None}, "The stack fargate needs Command: set it."),
        ({"cluster": "blue"}, "The stack fargate takes no Cluster: leave it out."),
    ],
)
def test_variables_of_another_variant_are_told(
    modules: Path, change: dict[str, Any], problem: str
) -> None:
    made = worked_out(modules, "service", {**fitting("service", "fargate"), **change})

    assert made["problems"] == [problem]


@pytest.mark.parametrize(
    "example", sorted((FOLDER / "examples").iterdir()), ids=lambda path: path.name
)
def test_example_gives_its_module_variables_that_it_has(example: Path) -> None:
    (called,) = hcl2.loads((example / "main.tf").read_text())["module"]
    (given,) = called.values()
    source = given.pop("source").strip('"')
    names = {name for name in given if not name.startswith("__")}

    assert (example / source).resolve().is_dir()
    known = variables(example.name)
    assert names <= known
    if example.name in MODULES:
        variant = MODULES[example.name][0]
        assert fitting(example.name, variant).keys() - {"variant"} <= names


def test_queue_of_events_is_that_of_the_record_stack() -> None:
    folder = FOLDER / "modules/events-queue"
    stack = stack_of("record")["Resources"]
    text = (folder / "main.tf").read_text()

    pattern = json.loads((folder / "pattern.json").read_text())
    assert pattern == stack["WatchbotEventsRule"]["Properties"]["EventPattern"]
    queue = stack["WatchbotQueue"]["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 10
    assert "maxReceiveCount     = 10" in text
    kept = stack["WatchbotDeadLetterQueue"]["Properties"]["MessageRetentionPeriod"]
    assert text.count(f"= {kept}\n") == 2
    for statement in stack["WatchbotQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]:
        assert f'"{statement["Effect"]}"' in text
        assert f'"{statement["Action"]}"' in text
        ((kind, ((key, _),)),) = [(k, v.items()) for k, v in statement["Condition"].items()]
        assert f'{{ {kind} = {{ "{key}" = ' in text


def test_template_without_a_place_for_variables_is_not_made() -> None:
    with pytest.raises(ValueError, match="not once"):
        templated(stack_of("fargate"))
