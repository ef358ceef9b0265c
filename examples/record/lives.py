"""Prints invented but lifelike events of ECS tasks, a JSON object a line.

    python lives.py 500 | watchbot send --queue-url URL --file -

The last tasks still run. A seed always gives the same events.
"""

import argparse
import json
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

ACCOUNT = "arn:aws:ecs:eu-west-1:123456789012"
FAMILIES = {  # name: containers, usual minutes, share of failures
    "web": (("app", "proxy"), 300, 0.05),
    "import-orders": (("import",), 12, 0.10),
    "nightly-report": (("report", "upload"), 45, 0.20),
    "resize-images": (("resize",), 4, 0.03),
    "train-model": (("train", "metrics"), 180, 0.30),
}
SIDECARS = {"proxy", "upload", "metrics"}  # not essential


@dataclass(kw_only=True)
class Life:
    """A task. `outcome` is the outcome that the record must find."""

    arn: str
    family: str
    outcome: str
    started_at: datetime | None
    stopped_at: datetime | None
    events: list[dict[str, Any]] = field(default_factory=list)


def lives(count: int, *, seed: int = 1, hours: float = 24, end: datetime) -> Iterator[Life]:
    """Yields `count` tasks, created in the `hours` before `end`."""
    chance = random.Random(seed)
    for _ in range(count):
        created = end - timedelta(hours=chance.uniform(0, hours))
        yield _live(chance, created, end)


def _live(chance: random.Random, created: datetime, end: datetime) -> Life:
    family = chance.choice(sorted(FAMILIES))
    names, minutes, failing = FAMILIES[family]
    cluster = chance.choice(["production", "production", "staging"])
    name = uuid.UUID(int=chance.getrandbits(128)).hex
    arn = f"{ACCOUNT}:task/{cluster}/{name}"
    base = _unchanging(chance, family, arn, created)
    life = Life(arn=arn, family=family, outcome="active", started_at=None, stopped_at=None)
    teller = _Teller(life, base, names, end)
    if chance.random() < 0.02:
        teller.fail_to_start(created)
        return life
    started = created + timedelta(seconds=chance.uniform(15, 60))
    stopped = started + timedelta(minutes=chance.lognormvariate(0, 0.6) * minutes)
    teller.tell(created, "PROVISIONING")
    teller.tell(created + timedelta(seconds=8), "PENDING")
    teller.start(started)
    reason = "Essential container in task exited"
    if family == "web":
        teller.stop(stopped, "ServiceSchedulerInitiated", "Scaling activity", 0, "stopped")
    elif chance.random() < failing:
        code = chance.choice([1, 1, 2, 137])
        teller.stop(stopped, "EssentialContainerExited", reason, code, "failed")
    else:
        teller.stop(stopped, "EssentialContainerExited", reason, 0, "success")
    return life


def _unchanging(chance: random.Random, family: str, arn: str, created: datetime) -> dict[str, Any]:
    cluster = arn.split("/")[1]
    return {
        "taskArn": arn,
        "clusterArn": f"{ACCOUNT}:cluster/{cluster}",
        "taskDefinitionArn": f"{ACCOUNT}:task-definition/{family}:{chance.randint(1, 9)}",
        "createdAt": _iso(created),
        "desiredStatus": "RUNNING",
        "group": f"service:{family}" if family == "web" else f"family:{family}",
        "startedBy": "ecs-svc/7223370556150183" if family == "web" else "watchbot-schedule",
        "launchType": "FARGATE",
        "cpu": "256",
        "memory": "512",
        "availabilityZone": chance.choice(["eu-west-1a", "eu-west-1b"]),
        "overrides": {"containerOverrides": [{"name": each} for each in FAMILIES[family][0]]},
    }


class _Teller:
    """Writes the events of one task up to the end of the time span."""

    def __init__(
        self, life: Life, base: dict[str, Any], names: tuple[str, ...], end: datetime
    ) -> None:
        self._life, self._detail, self._names, self._end = life, base, names, end
        self._version = 0

    def fail_to_start(self, created: datetime) -> None:
        self.tell(created, "PROVISIONING")
        reason = "CannotPullContainerError: image not found"
        stopped = created + timedelta(seconds=90)
        self.stop(stopped, "TaskFailedToStart", reason, None, "failed_to_start")

    def start(self, at: datetime) -> None:
        if at <= self._end:
            self._life.started_at = at
            self._detail = {**self._detail, "startedAt": _iso(at)}
            self.tell(at, "RUNNING")

    def stop(
        self, at: datetime, code: str, reason: str, exit_code: int | None, outcome: str
    ) -> None:
        if at > self._end:
            return
        self._life.stopped_at, self._life.outcome = at, outcome
        self._detail = {**self._detail, "desiredStatus": "STOPPED", "stopCode": code}
        self._detail["stoppedReason"] = reason
        if exit_code is not None:
            # The main container ends; only then does ECS kill the others.
            self.tell(at, "DEACTIVATING", {self._names[0]: exit_code})
        self._detail = {**self._detail, "stoppedAt": _iso(at)}
        ended = {} if exit_code is None else dict.fromkeys(self._names, 137)
        self.tell(at, "STOPPED", {**ended, self._names[0]: exit_code})

    def tell(self, at: datetime, status: str, ended: dict[str, int | None] | None = None) -> None:
        if at > self._end:
            return
        self._version += 1
        containers = [self._container(name, status, ended or {}) for name in self._names]
        if status == "STOPPED" and "startedAt" not in self._detail:
            containers = []
        self._life.events.append(
            {
                "version": "0",
                "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._life.arn}/{self._version}")),
                "detail-type": "ECS Task State Change",
                "source": "aws.ecs",
                "account": "123456789012",
                "time": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": "eu-west-1",
                "resources": [self._life.arn],
                "detail": {
                    **self._detail,
                    "lastStatus": status,
                    "updatedAt": _iso(at),
                    "version": self._version,
                    "containers": containers,
                },
            }
        )

    def _container(self, name: str, status: str, ended: dict[str, int | None]) -> dict[str, Any]:
        over = status == "STOPPED" or name in ended
        container: dict[str, Any] = {
            "containerArn": f"{self._life.arn.replace(':task/', ':container/')}/{name}",
            "name": name,
            "image": f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}:latest",
            "lastStatus": "STOPPED" if over else "RUNNING" if status == "RUNNING" else "PENDING",
            "taskArn": self._life.arn,
        }
        if ended.get(name) is not None:
            container["exitCode"] = ended[name]
        return container


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def main() -> None:
    parser = argparse.ArgumentParser(description="Print events of invented ECS tasks, one a line.")
    parser.add_argument("count", type=int, nargs="?", default=200)
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for life in lives(asked.count, seed=asked.seed, hours=asked.hours, end=datetime.now(UTC)):
        for event in life.events:
            print(json.dumps(event))


if __name__ == "__main__":
    main()
