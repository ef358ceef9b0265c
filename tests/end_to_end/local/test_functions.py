"""`watchbot local --warm lambda`: functions of AWS Lambda, worked off on this machine."""

import re
from pathlib import Path

from tests.support.cloud import Cloud

HERE = Path(__file__).parents[3] / "examples/lambda"
RUNTIME = ("python3", "-m", "awslambdaric")


def outcomes(said: str) -> list[str]:
    return re.findall(r"\[watcher\] \[\S+\] (?:\[failure\] )?(\w+) ending", said)


def test_public_function_works_off_ten_thousand_and_fails_exactly_the_poisoned(
    cloud: Cloud, tmp_path: Path
) -> None:
    bodies = [f"poison {n}" if n % 20 == 7 else f'{{"numbers": [{n}]}}' for n in range(10_000)]
    lines = tmp_path / "lines"
    lines.write_text("\n".join(bodies))

    done = cloud.watchbot(
        *("local", "--warm", "lambda", "--concurrency", "2", "--batch-size", "10"),
        *("--max-attempts", "1", "--breaker", "0", "--exit-when-empty", "--log-bodies"),
        *("--send-file", str(lines), *RUNTIME, "app.handler"),
        timeout_s=500,
        env={"LAMBDA_TASK_ROOT": str(HERE), "PYTHONPATH": str(HERE)},
    )

    assert done.returncode == 0, done.stderr
    ended = outcomes(done.stdout)
    assert (ended.count("completed"), ended.count("failed"), len(ended)) == (9_500, 500, 10_000)
    came = dict(re.findall(r"\[watcher\] \[(\S+)\] received .*?body=(.*)$", done.stdout, re.M))
    failed = re.findall(r"\[watcher\] \[(\S+)\] \[failure\] failed ending", done.stdout)
    assert sorted(came[name].strip('"') for name in failed) == sorted(
        body for body in bodies if body.startswith("poison")
    )


def test_functions_keep_the_order_of_a_group(cloud: Cloud, tmp_path: Path) -> None:
    lines = tmp_path / "lines"
    lines.write_text("\n".join(('{"numbers": [1]}', '{"numbers": [2]}', "poison", "3", "4")))

    done = cloud.watchbot(
        *("local", "--fifo", "--warm", "lambda", "--batch-size", "10", "--exit-when-empty"),
        *("--send-file", str(lines), *RUNTIME, "app.handler"),
        env={"LAMBDA_TASK_ROOT": str(HERE), "PYTHONPATH": str(HERE)},
    )

    assert outcomes(done.stdout) == ["completed"] * 2 + ["failed"] + ["released"] * 2


def test_a_failure_may_say_what_is_to_become_of_its_message(cloud: Cloud, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import json\n"
        "def handler(event, context):\n"
        "    return {'batchItemFailures': [\n"
        "        {'itemIdentifier': record['messageId'], **json.loads(record['body'])}\n"
        "        for record in event['Records']]}\n"
    )
    lines = tmp_path / "lines"
    lines.write_text('{"exit": 3, "reason": "no such tile"}\n{"exit": 4}\n{"exit": 9}\n{}\n')

    done = cloud.watchbot(
        *("local", "--warm", "lambda", "--batch-size", "10", "--exit-when-empty"),
        *("--handler", "app.handler", "--send-file", str(lines), *RUNTIME, "app.handler"),
        env={"LAMBDA_TASK_ROOT": str(tmp_path), "PYTHONPATH": str(tmp_path)},
    )

    assert sorted(outcomes(done.stdout)) == ["failed", "failed", "rejected", "returned"]
    assert 'rejected ending="no such tile"' in done.stdout


def test_a_handler_for_no_function_is_refused(cloud: Cloud) -> None:
    done = cloud.watchbot("local", "--handler", "app.handler", "true")

    assert done.returncode == 2
    assert "--handler (WATCHBOT_HANDLER): names a function of AWS Lambda" in done.stderr
