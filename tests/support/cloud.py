"""A cloud for tests: the mended moto server on loopback, and boto3 as an independent client."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
import requests

from watchbot.local.server import running_server

BIN = Path(sys.executable).parent
REGION = "us-east-1"
TWO_WEEKS_S = "1209600"  # the longest that SQS keeps a message


class Cloud:
    """An empty AWS; everything in it is made and read with boto3."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": url,
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "TMPDIR": os.environ.get("TMPDIR", ""),
        }
        self._clients: list[Any] = []
        self.sqs = self.client("sqs")
        self.sns = self.client("sns")
        self.dynamodb = self.client("dynamodb")

    def client(self, service: str) -> Any:
        """A boto3 client, closed when the cloud is."""
        client: Any = boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self._clients.append(client)
        return client

    def close(self) -> None:
        for client in self._clients:
            client.close()

    def queue(self, name: str, **attributes: str) -> str:
        """The URL of a new queue."""
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        url: str = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url

    def queue_with_dead_letters(
        self, name: str, *, receives: int = 10, kept_s: str = TWO_WEEKS_S
    ) -> tuple[str, str]:
        """The URLs of a new queue, and of a dead-letter queue of its kind, named for it."""
        base, dot, fifo = name.partition(".")
        dead = self.queue(f"{base}-dead{dot}{fifo}", MessageRetentionPeriod=kept_s)
        policy = {"deadLetterTargetArn": self.arn(dead), "maxReceiveCount": receives}
        return self.queue(name, RedrivePolicy=json.dumps(policy)), dead

    def let_send(self, topic: str, queue_url: str) -> None:
        """Lets a topic, by its ARN, send to a queue."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": self.arn(queue_url),
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": policy})

    def arn(self, queue_url: str) -> str:
        return self.attributes(queue_url)["QueueArn"]

    def attributes(self, queue_url: str) -> Mapping[str, str]:
        answer = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])
        attributes: Mapping[str, str] = answer["Attributes"]
        return attributes

    def depth(self, queue_url: str) -> tuple[int, int]:
        """Messages visible, and messages hidden."""
        now = self.attributes(queue_url)
        return (
            int(now["ApproximateNumberOfMessages"]),
            int(now["ApproximateNumberOfMessagesNotVisible"]),
        )

    def send(self, queue_url: str, body: str, **more: Any) -> str:
        """The id of a message just sent."""
        sent = self.sqs.send_message(QueueUrl=queue_url, MessageBody=body, **more)
        message_id: str = sent["MessageId"]
        return message_id

    def send_many(self, queue_url: str, bodies: list[str]) -> None:
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(index), "MessageBody": body}
                for index, body in enumerate(bodies[start : start + 10])
            ]
            self.sqs.send_message_batch(QueueUrl=queue_url, Entries=entries)

    def take_all(self, queue_url: str) -> list[dict[str, Any]]:
        """All messages that are visible now, deleted."""
        taken: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=10,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", []):
            taken += messages
            for message in messages:
                self.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return taken

    def topic(self, name: str, *subscribers: str, raw: bool = False) -> str:
        """The ARN of a new topic with these queues subscribed."""
        fifo = {"FifoTopic": "true"} if name.endswith(".fifo") else {}
        arn: str = self.sns.create_topic(Name=name, Attributes=fifo)["TopicArn"]
        for queue_url in subscribers:
            self.sns.subscribe(
                TopicArn=arn,
                Protocol="sqs",
                Endpoint=self.arn(queue_url),
                Attributes={"RawMessageDelivery": "true"} if raw else {},
            )
        return arn

    def table(self, name: str) -> str:
        """The name of a new table as ecs-watchbot made it: its key is the text `id`."""
        self.dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return name

    def items(self, table: str) -> list[dict[str, Any]]:
        """The items of a table."""
        items: list[dict[str, Any]] = self.dynamodb.scan(TableName=table)["Items"]
        return items

    def notices(self, queue_url: str) -> list[dict[str, Any]]:
        """The SNS envelopes that wait in a queue, taken out."""
        return [json.loads(message["Body"]) for message in self.take_all(queue_url)]

    def watchbot(
        self,
        *words: str,
        stdin: str = "",
        timeout_s: float = 60,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Runs one `watchbot` command to its end. An empty variable in `env` is left out."""
        return subprocess.run(
            [str(BIN / "watchbot"), *words],
            env=self._with(env),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def listen(
        self, queue_url: str, *words: str, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs `watchbot listen` on this queue until it is empty; what goes back is not awaited."""
        options = ("--exit-when-empty", "--exit-wait", "0", "--poll-wait", "1")
        return self.watchbot("listen", "--queue-url", queue_url, *options, *words, env=env)

    @contextlib.contextmanager
    def started(
        self, *words: str, env: Mapping[str, str] | None = None, within: Sequence[str] = ()
    ) -> Iterator[subprocess.Popen[str]]:
        """A `watchbot` command that runs while the block does; `env` as in `watchbot`.

        `within` is what starts it: a shell, for one.
        """
        with subprocess.Popen(
            [*within, str(BIN / "watchbot"), *words],
            env=self._with(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def _with(self, env: Mapping[str, str] | None) -> dict[str, str]:
        environment = {**self.environment, **(env or {})}
        return {name: value for name, value in environment.items() if value}

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """While open, every call needs known credentials and a policy; ours have neither."""
        count = f"{self.url}/moto-api/reset-auth"
        requests.post(count, data="0", timeout=10)
        try:
            yield
        finally:
            requests.post(count, data="Infinity", timeout=10)

    def aws(self, *words: str) -> Any:
        """The parsed output of the `aws` command."""
        done = subprocess.run(
            [str(BIN / "aws"), "--endpoint-url", self.url, "--output", "json", *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return json.loads(done.stdout) if done.stdout.strip() else None


@contextlib.contextmanager
def running_cloud() -> Iterator[Cloud]:
    """A cloud, until the block is left."""
    with running_server() as url:
        with contextlib.closing(Cloud(url)) as cloud:
            yield cloud
