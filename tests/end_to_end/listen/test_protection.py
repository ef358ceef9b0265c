"""A watcher in an ECS service asks the agent to spare its task while it works."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.support.cloud import Cloud

BLOCKED = {"failure": {"Reason": "DEPLOYMENT_BLOCKED", "Detail": "a deployment waits for it"}}


# As https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-examples.html
METADATA: dict[str, object] = {
    "DockerId": "ea32192c8553fbff06c9340478a2ff089b2bb5646fb718b4ee206641c9086d66",
    "Name": "watchbot",
    "Labels": {
        "com.amazonaws.ecs.task-arn": "arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083",
        "com.amazonaws.ecs.task-definition-family": "pictures",
        "com.amazonaws.ecs.task-definition-version": "24",
    },
    "LogDriver": "awslogs",
    "LogOptions": {"awslogs-group": "/ecs/pictures", "awslogs-stream": "ecs/watchbot/158d1c8083"},
}


class Agent(BaseHTTPRequestHandler):
    asked: list[bool]
    refusal: dict[str, object] | None = None

    def do_GET(self) -> None:
        self._answer(METADATA)

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body["ProtectionEnabled"])
        self._answer(self.refusal or {"protection": body})

    def _answer(self, content: dict[str, object]) -> None:
        answer = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def agent(request: pytest.FixtureRequest) -> Iterator[tuple[str, list[bool]]]:
    asked: list[bool] = []
    refusal = getattr(request, "param", None)
    handler = type("ThisAgent", (Agent,), {"asked": asked, "refusal": refusal})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api/x", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("options", "told"), [([], [True, False]), (["--no-protection"], [])])
def test_task_is_protected_while_it_works(
    cloud: Cloud, agent: tuple[str, list[bool]], options: list[str], told: list[bool]
) -> None:
    uri, asked = agent
    queue = cloud.queue(f"protected-{len(options)}")
    cloud.send(queue, "x")

    done = cloud.listen(queue, *options, "sleep 0.5", env={"ECS_AGENT_URI": uri})

    assert done.returncode == 0, done.stderr
    assert "completed" in done.stdout
    assert asked == told


@pytest.mark.parametrize("agent", [BLOCKED], indirect=True)
def test_deployment_that_waits_for_the_task_has_it_finish(
    cloud: Cloud, agent: tuple[str, list[bool]], tmp_path: Path
) -> None:
    queue = cloud.queue("blocked")
    cloud.send_many(queue, ["a", "b", "c"])
    words = ("listen", "--queue-url", queue, "--poll-wait", "1")
    command = f"echo ran >> {tmp_path}/runs; sleep 2"

    with cloud.started(*words, command, env={"ECS_AGENT_URI": agent[0]}) as watcher:
        said = watcher.communicate(timeout=60)[0]

    assert watcher.returncode == 0
    assert "finishing" in said
    assert (tmp_path / "runs").read_text() == "ran\n"  # it ran in full, and no other was taken
    assert said.count("completed") == 1
    assert cloud.depth(queue) == (2, 0)


def test_notice_names_task_and_log(cloud: Cloud, agent: tuple[str, list[bool]]) -> None:
    queue, notices = cloud.queue("named"), cloud.queue("named-notices")
    topic = cloud.topic("named-topic", notices)
    cloud.send(queue, "x")

    cloud.listen(
        queue, "--notification-topic", topic, "exit 3",
        env={"ECS_CONTAINER_METADATA_URI_V4": agent[0]},
    )  # fmt: skip

    (notice,) = cloud.notices(notices)
    for line in (
        "Container: watchbot",
        "Task: arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083",
        "Task definition: pictures:24",
        "Log group: /ecs/pictures",
        "Log stream: ecs/watchbot/158d1c8083",
    ):
        assert f"\n{line}\n" in notice["Message"]


def test_agent_that_does_not_answer_costs_no_notice(cloud: Cloud) -> None:
    queue, notices = cloud.queue("silent"), cloud.queue("silent-notices")
    topic = cloud.topic("silent-topic", notices)
    cloud.send(queue, "x")

    done = cloud.listen(
        queue, "--notification-topic", topic, "exit 3",
        env={"ECS_CONTAINER_METADATA_URI_V4": "http://127.0.0.1:9/v4/x"},
    )  # fmt: skip

    assert "no metadata from ECS" in done.stdout
    assert len(cloud.notices(notices)) == 1
