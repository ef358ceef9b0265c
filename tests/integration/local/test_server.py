"""The embedded AWS over HTTP: boto3 and the `aws` command, which know nothing of it."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import REGION, Cloud, running_cloud
from tests.support.local_aws import SOON_S, bodies, by_hand, connect, poll, receive
from watchbot.errors import SettingError
from watchbot.extras import how_to_add
from watchbot.local.server import running_server

ROOT = Path(__file__).parents[3]

# The rest of moto


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "envelope"])
def test_topic_delivers_to_its_queue(cloud: Cloud, raw: bool) -> None:
    queue_url = cloud.queue("q")
    topic_arn = cloud.topic("t", queue_url, raw=raw)
    attributes = {"kind": {"DataType": "String", "StringValue": "test"}}

    cloud.sns.publish(TopicArn=topic_arn, Message="1", MessageAttributes=attributes)
    cloud.sns.publish_batch(
        TopicArn=topic_arn,
        PublishBatchRequestEntries=[{"Id": "a", "Message": "2"}, {"Id": "b", "Message": "3"}],
    )

    messages = receive(cloud, queue_url)
    contents = bodies(messages)
    if raw:
        assert contents == ["1", "2", "3"]
        assert messages[0]["MessageAttributes"] == attributes
    else:
        envelopes = [json.loads(body) for body in contents]
        assert [envelope["Message"] for envelope in envelopes] == ["1", "2", "3"]
        assert envelopes[0]["MessageAttributes"] == {"kind": {"Type": "String", "Value": "test"}}
        assert {envelope["TopicArn"] for envelope in envelopes} == {topic_arn}


def test_stack_makes_queues_that_work(cloud: Cloud) -> None:
    access = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    stacks = boto3.client("cloudformation", endpoint_url=cloud.url, region_name=REGION, **access)
    template = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "q"}}}}

    stacks.create_stack(StackName="s", TemplateBody=json.dumps(template))
    stacks.close()

    queue_url = cloud.sqs.get_queue_url(QueueName="q")["QueueUrl"]
    cloud.send_many(queue_url, ["1", "2"])
    assert bodies(receive(cloud, queue_url)) == ["1", "2"]


def test_aws_command_line_sends_and_receives(cloud: Cloud) -> None:
    queue_url = cloud.queue("q")

    cloud.aws("sqs", "send-message", "--queue-url", queue_url, "--message-body", "hello")
    answer = cloud.aws("sqs", "receive-message", "--queue-url", queue_url)

    assert bodies(answer["Messages"]) == ["hello"]


def test_unknown_call_is_refused_once(cloud: Cloud) -> None:
    with pytest.raises(ClientError) as refusal:
        cloud.client("ecs").submit_container_state_change()

    metadata = refusal.value.response["ResponseMetadata"]
    assert (metadata["HTTPStatusCode"], metadata["RetryAttempts"]) == (501, 0)


# The server


def test_connection_serves_many_calls(cloud: Cloud) -> None:
    cloud.queue("q")
    connection = connect(cloud)
    sockets = set()

    for chunked in (False, True):
        method, path, body, headers = by_hand(cloud, "ListQueues")
        content = iter([body[:1].encode(), body[1:].encode()]) if chunked else body
        connection.request(method, path, content, headers, encode_chunked=chunked)
        sockets.add(connection.sock)
        answer = json.loads(connection.getresponse().read())
        assert answer == {"QueueUrls": [f"{cloud.url}/123456789012/q"]}

    assert len(sockets) == 1
    connection.close()


def test_port_in_use_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingError) as refusal:
            with running_server(port):
                pass

    assert refusal.value.exit_code == 2
    assert str(refusal.value) == (
        f"--port (WATCHBOT_PORT): cannot listen on 127.0.0.1:{port} (Address already in use); "
        "choose another, or 0 for any"
    )


@pytest.fixture
def restless() -> Iterator[None]:
    """Threads take turns a thousand times more often than they do by default."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("restless")
def test_one_of_many_conditional_writes_succeeds(cloud: Cloud, threads: ThreadPoolExecutor) -> None:
    table = cloud.table("table")

    def claim(number: int) -> bool:
        try:
            cloud.dynamodb.update_item(
                TableName=table,
                Key={"id": {"S": f"item {number // 8}"}},
                UpdateExpression="SET taken = :by",
                ConditionExpression="attribute_not_exists(taken)",
                ExpressionAttributeValues={":by": {"N": str(number)}},
            )
        except ClientError:
            return False
        return True

    assert sum(threads.map(claim, range(40 * 8))) == 40


def test_port_can_be_chosen_and_had_again() -> None:
    with running_server() as url:
        port = int(url.rpartition(":")[2])
    with running_server(port) as again:
        assert again == url


def test_each_server_starts_empty() -> None:
    with running_cloud() as first:
        first.queue("q")
    with running_cloud() as second:
        assert second.sqs.list_queues().get("QueueUrls") is None


def test_server_stops_though_polls_and_connections_are_open(threads: ThreadPoolExecutor) -> None:
    before = set(threading.enumerate())
    with running_cloud() as cloud:
        queue_url = cloud.queue("q")
        idle = connect(cloud)
        idle.request(*by_hand(cloud, "ListQueues"))
        idle.getresponse().read()
        answers = [poll(cloud, threads, queue_url) for _ in range(3)]

    assert [answer.result(SOON_S) for answer in answers] == [[], [], []]
    left = set(threading.enumerate()) - before - threads._threads
    idle.close()
    assert left == set()


SCRIPT = """
import signal, time
from watchbot.local.server import running_server
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` would have it ignored
with running_server() as url:
    print(url, flush=True)
    try:
        time.sleep(60)  # until the signal comes
    except KeyboardInterrupt:
        pass
"""


def test_process_leaves_at_once_without_a_word_or_a_file(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        cwd=tmp_path,
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        cloud = Cloud(process.stdout.readline().strip())
        queue_url = cloud.queue("q")
        topic_arn = cloud.topic("t", queue_url)
        cloud.sns.publish(TopicArn=topic_arn, Message="x")
        cloud.take_all(queue_url)
        with pytest.raises(ClientError):
            cloud.sqs.get_queue_url(QueueName="no such")
        answer = poll(cloud, threads, queue_url)

        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=SOON_S)
        cloud.sqs.close()
        cloud.sns.close()

    assert answer.result(SOON_S) == []
    assert (process.returncode, printed) == (0, ("", ""))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("module", ["server", "run", "scheduler"])
def test_missing_extra_is_named(module: str) -> None:
    script = f"import sys; sys.modules['moto'] = None; import watchbot.local.{module}"

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr.splitlines()[-1] == (
        "watchbot.errors.MissingExtra: "
        f"an AWS of your own needs more packages: {how_to_add('local')}"
    )


def test_server_is_soon_there_for_whoever_needs_no_ecs() -> None:
    script = "import sys, watchbot.local.server; print('moto.ec2' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"


# Who may ask


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Origin": "https://evil.example"}, "Origin"),
        ({"Origin": "null"}, "Origin"),
        ({"Host": "evil.example"}, "Host"),
        ({"Host": "127.0.0.1.evil.example:80"}, "Host"),
        ({"Sec-Fetch-Site": "cross-site"}, "Sec-Fetch-Site"),
    ],
)
def test_page_of_somebody_else_wipes_nothing(
    cloud: Cloud, headers: dict[str, str], said: str
) -> None:
    queue_url = cloud.queue("q")
    with closing(connect(cloud)) as page:
        page.request("POST", "/moto-api/reset", "a=1", headers)
        answer = page.getresponse()
        text = answer.read().decode()

    assert answer.status == 403
    assert said in text
    assert cloud.attributes(queue_url)


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "http://localhost:3000"}, {"Host": "localhost"}, {"Host": "bucket.localhost:4566"}],
)
def test_page_of_this_machine_may_ask(cloud: Cloud, headers: dict[str, str]) -> None:
    with closing(connect(cloud)) as page:
        page.request("GET", "/moto-api/data.json", headers=headers)
        assert page.getresponse().status == 200


@pytest.mark.parametrize("body", ["{bad", "[1]", "7"])
@pytest.mark.parametrize("service", ["AmazonSQS.SendMessage", "DynamoDB_20120810.PutItem"])
def test_body_that_is_no_json_object_is_refused_as_such(
    cloud: Cloud, service: str, body: str
) -> None:
    headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": service}
    with closing(http.client.HTTPConnection(cloud.url.removeprefix("http://"))) as connection:
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        said = json.loads(answer.read())

    assert (answer.status, said["__type"]) == (400, "SerializationException")
    assert said["message"].startswith("the body is no JSON")
