"""A misspelt variable is named where it would else be silent."""

from pathlib import Path

import pytest

from tests.support.cloud import Cloud
from tests.support.programs import read_until

NAMED = 'variable=WATCHBOT_CONCURENCY advice="did you mean WATCHBOT_CONCURRENCY?"'


@pytest.mark.parametrize(
    "words", [("listen", "true"), ("record",), ("schedule",)], ids=lambda words: words[0]
)
def test_service_names_it_and_works(cloud: Cloud, tmp_path: Path, words: tuple[str, ...]) -> None:
    env = {
        "WATCHBOT_CONCURENCY": "4",
        "QueueUrl": cloud.queue(f"misspelt-{words[0]}"),
        "WATCHBOT_DATABASE": f"sqlite:///{tmp_path}/db",
        "WATCHBOT_PORT": "0",
    }

    with cloud.started(*words, env=env) as service:
        said = read_until(service, "started")

    assert f"variable sets nothing {NAMED}" in said


def test_doctor_names_it(cloud: Cloud) -> None:
    env = {"WATCHBOT_CONCURENCY": "4", "QueueUrl": cloud.queue("misspelt-doctor")}

    done = cloud.watchbot("doctor", env=env)

    (line,) = [line for line in done.stdout.splitlines() if "CONCURENCY" in line]
    assert line.startswith("warn  no option is set by WATCHBOT_CONCURENCY; ")
    assert "did you mean WATCHBOT_CONCURRENCY?" in line
