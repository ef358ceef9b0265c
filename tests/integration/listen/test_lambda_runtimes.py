"""Runtimes that are in use: each takes our events, and fails exactly what it should."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import time
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import SQSEvent
from aws_lambda_powertools.utilities.parser.models import SqsModel

from tests.support.builders import a_job_of, a_message
from watchbot.listen.functions.dialogue import LambdaDialogue, Limits
from watchbot.listen.functions.event import EventSource, event, record
from watchbot.listen.functions.opening import LambdaOpener
from watchbot.listen.functions.variables import Function
from watchbot.listen.runner import Job
from watchbot.listen.warm.dialogue import Answer, NotReady
from watchbot.outcome import FAILED, REJECTED, RETURNED

MB = 1_000_000
HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PYTHON = (sys.executable, "-m", "awslambdaric")
NODE = ROOT / "build/node/node_modules/.bin/aws-lambda-ric"
SYSTEM: dict[str, Any] = {
    "SenderId": "AIDAEXAMPLE",
    "SentTimestamp": "1700000000000",
    "ApproximateFirstReceiveTimestamp": "1700000000123",
}

needs_node = pytest.mark.skipif(
    not NODE.exists(),
    reason="no aws-lambda-ric here: `make node` builds it, with autoconf, automake, libtool, cmake",
)


def a_batch(bodies: Sequence[str]) -> list[Job]:
    return [
        a_job_of(a_message(f"m{number}", body=body, **SYSTEM)) for number, body in enumerate(bodies)
    ]


@asynccontextmanager
async def at_work(
    words: Sequence[str], folder: Path, *, handler: str | None = None, **variables: str
) -> AsyncIterator[LambdaDialogue]:
    environment = {**os.environ, **variables}
    base = {name.encode(): value.encode() for name, value in environment.items()}
    source = EventSource("arn:aws:sqs:eu-central-1:123456789012:numbers")
    function = Function(name="numbers", handler=handler, source=source, memory_mb=512)
    opener = LambdaOpener(function, Limits(event_bytes=6 * MB, start_s=30), base)
    dialogue = await opener(0, str(folder))
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=folder,
        env={**environment, **dialogue.variables, "LAMBDA_TASK_ROOT": str(folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        dialogue.started()
        await dialogue.ready()
        yield dialogue
    finally:
        with suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        await dialogue.close()


async def answers(dialogue: LambdaDialogue, batch: Sequence[Job]) -> Sequence[Answer]:
    assert dialogue.fits(batch) == len(batch)
    dialogue.hand(batch, time() + 60)
    return await dialogue.answers()


def a_function(folder: Path, code: str) -> Path:
    (folder / "app.py").write_text(code)
    return folder


GOOD, BAD = '{"numbers": [1, 2]}', "no numbers"


@pytest.mark.parametrize("concurrency", ["", "2"])
async def test_powertools_under_awslambdaric_fails_the_poisoned_messages(concurrency: str) -> None:
    more = {"AWS_LAMBDA_MAX_CONCURRENCY": concurrency} if concurrency else {}
    words = (*PYTHON, "app.handler")
    async with at_work(words, ROOT / "examples/lambda", **more) as dialogue:
        for _ in range(3):
            said = await answers(dialogue, a_batch([GOOD, BAD, GOOD, BAD]))

            assert [answer.outcome for answer in said] == [None, FAILED, None, FAILED]
            assert [answer.exit_code for answer in said if answer.outcome is None] == [0, 0]


def test_powertools_reads_an_event_of_many_messages() -> None:
    source = EventSource("arn:aws:sqs:eu-central-1:123456789012:numbers")
    messages = [
        a_message("a", body="é\U0001f600\n", **SYSTEM),
        a_message("b", MessageGroupId="g", SequenceNumber="18", **SYSTEM),
    ]
    made = json.loads(event([record(message, source, MB) for message in messages]))

    read = SqsModel.model_validate(made)
    by_class = list(SQSEvent(made).records)

    assert [one.messageId for one in read.Records] == ["a", "b"]
    assert read.Records[0].body == "é\U0001f600\n"
    assert by_class[1].attributes.message_group_id == "g"
    assert by_class[1].event_source_arn == source.arn


async def test_powertools_in_order_fails_all_that_come_after_the_first(tmp_path: Path) -> None:
    folder = a_function(
        tmp_path,
        "from aws_lambda_powertools.utilities.batch import *\n"
        "processor = SqsFifoPartialProcessor()\n"
        "def work(record): record.json_body['numbers']\n"
        "def handler(event, context):\n"
        "    return process_partial_response(event, work, processor, context)\n",
    )
    fifo = {**SYSTEM, "MessageGroupId": "g", "SequenceNumber": "1", "MessageDeduplicationId": "d"}
    batch = [
        a_job_of(a_message(str(number), body=body, **fifo))
        for number, body in enumerate([GOOD, BAD, GOOD])
    ]
    async with at_work((*PYTHON, "app.handler"), folder) as dialogue:
        said = await answers(dialogue, batch)

    assert [answer.outcome for answer in said] == [None, FAILED, FAILED]


async def test_an_exception_fails_all_with_its_words_and_its_stack(tmp_path: Path) -> None:
    folder = a_function(
        tmp_path,
        "class WatchbotReject(Exception): pass\n"
        "class WatchbotReturn(Exception): pass\n"
        "KINDS = {'reject': WatchbotReject, 'return': WatchbotReturn, 'oops': KeyError}\n"
        "def handler(event, context):\n"
        "    body = event['Records'][0]['body']\n"
        "    raise KINDS[body](body)\n",
    )
    async with at_work((*PYTHON, "app.handler"), folder) as dialogue:
        failed = await answers(dialogue, a_batch(["oops", "oops"]))
        [rejected] = await answers(dialogue, a_batch(["reject"]))
        [returned] = await answers(dialogue, a_batch(["return"]))

    assert [(answer.outcome, answer.reason) for answer in failed] == [
        (FAILED, "KeyError: 'oops'")
    ] * 2
    assert 'app.py", line 6, in handler' in failed[0].detail
    assert (rejected.outcome, rejected.reason) == (REJECTED, "WatchbotReject: reject")
    assert (returned.outcome, returned.reason) == (RETURNED, "WatchbotReturn: return")


async def test_a_return_of_ours_says_when_its_messages_are_to_come_back(tmp_path: Path) -> None:
    folder = a_function(
        tmp_path,
        "import watchbot\n"
        "def handler(event, context):\n"
        "    raise watchbot.Return('no licence', after=600)\n",
    )
    async with at_work((*PYTHON, "app.handler"), folder) as dialogue:
        said = await answers(dialogue, a_batch(["{}", "{}"]))

    assert [(answer.outcome, answer.retry_after_s) for answer in said] == [(RETURNED, 600)] * 2
    assert said[0].reason == "WatchbotReturn: retryAfter=600: no licence"


async def test_an_event_as_large_as_lambdas_passes(tmp_path: Path) -> None:
    folder = a_function(
        tmp_path,
        "import json\n"
        "def handler(event, context):\n"
        "    size = len(json.dumps(event, ensure_ascii=False, separators=(',', ':')).encode())\n"
        "    item = {'itemIdentifier': event['Records'][0]['messageId'], 'exit': 1}\n"
        "    return {'batchItemFailures': [{**item, 'reason': f'{size} bytes'}]}\n",
    )
    batch = a_batch(["é" * 500_000] * 7)
    async with at_work((*PYTHON, "app.handler"), folder) as dialogue:
        count = dialogue.fits(batch)
        dialogue.hand(batch[:count], time() + 60)
        said = await dialogue.answers()

    size = int(str(said[0].reason).removesuffix(" bytes"))
    assert len(said) == count < len(batch)
    assert 5 * MB < size <= 6 * MB


async def test_a_failure_may_say_what_is_to_become_of_its_message(tmp_path: Path) -> None:
    folder = a_function(
        tmp_path,
        "def handler(event, context):\n"
        "    [record] = event['Records']\n"
        "    item = {'exit': 4, 'retryAfter': 77, 'reason': 'not yet'}\n"
        "    return {'batchItemFailures': [{'itemIdentifier': record['messageId'], **item}]}\n",
    )
    async with at_work((*PYTHON, "app.handler"), folder) as dialogue:
        said = await answers(dialogue, a_batch(["{}"]))

    assert said == [Answer(exit_code=4, reason="not yet", retry_after_s=77)]


async def test_a_deep_stack_passes(tmp_path: Path) -> None:
    folder = a_function(
        tmp_path,
        "def handler(event, context, depth=900):\n"
        "    if depth: return handler(event, context, depth - 1)\n"
        "    raise ValueError('x' * 700_000)\n",
    )
    async with at_work((*PYTHON, "app.handler"), folder) as dialogue:
        [answer] = await answers(dialogue, a_batch(["{}"]))

    assert answer.outcome is FAILED
    assert answer.reason is not None
    assert answer.reason.startswith("ValueError: xxx")


async def test_the_context_has_a_deadline_an_id_and_an_arn(tmp_path: Path) -> None:
    folder = a_function(
        tmp_path,
        "import os\n"
        "def handler(event, context):\n"
        "    left = context.get_remaining_time_in_millis()\n"
        "    assert 50_000 < left <= 60_000, left\n"
        "    assert len(context.aws_request_id) == 36\n"
        "    assert context.invoked_function_arn.endswith(':function:numbers')\n"
        "    assert (context.function_name, context.memory_limit_in_mb) == ('numbers', '512')\n"
        "    assert os.environ['_X_AMZN_TRACE_ID'].startswith('Root=1-')\n",
    )
    async with at_work((*PYTHON, "app.handler"), folder) as dialogue:
        assert await answers(dialogue, a_batch(["{}"])) == [Answer()]


async def test_a_function_that_cannot_be_imported_says_so(tmp_path: Path) -> None:
    folder = a_function(tmp_path, "import no_such_module\n")

    with pytest.raises(NotReady, match=r"Runtime\.ImportModuleError: .*no_such_module"):
        async with at_work((*PYTHON, "app.handler"), folder):
            pass


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
async def test_ten_lines_of_shell_are_a_runtime() -> None:
    async with at_work(["./bootstrap"], ROOT / "examples/lambda") as dialogue:
        for _ in range(3):
            assert await answers(dialogue, a_batch([GOOD, "'é\n"])) == [Answer()] * 2


@needs_node
async def test_powertools_for_typescript_fails_the_poisoned_messages(tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(NODE.parents[1])
    (tmp_path / "app.mjs").write_text(
        "import { BatchProcessor, EventType, processPartialResponse }\n"
        "  from '@aws-lambda-powertools/batch';\n"
        "const processor = new BatchProcessor(EventType.SQS);\n"
        "const work = async (record) => { JSON.parse(record.body).numbers; };\n"
        "export const handler = async (event, context) =>\n"
        "  processPartialResponse(event, work, processor, { context });\n"
    )
    async with at_work([str(NODE), "app.handler"], tmp_path) as dialogue:
        for _ in range(3):
            said = await answers(dialogue, a_batch([GOOD, BAD, GOOD]))

            assert [answer.outcome for answer in said] == [None, FAILED, None]


@needs_node
async def test_a_function_of_node_that_streams_is_a_function(tmp_path: Path) -> None:
    (tmp_path / "app.mjs").write_text(
        "export const handler = awslambda.streamifyResponse(async (event, stream) => {\n"
        "  if (event.Records[0].body === 'half') {\n"
        "    stream.write('{\"batch'); await new Promise((go) => setTimeout(go, 50));\n"
        "    throw new Error('half way');\n"
        "  }\n"
        "  stream.write('{\"batchItemFailures\": ');\n"
        '  stream.end(\'[{"itemIdentifier": "m1"}]}\');\n'
        "});\n"
    )
    async with at_work([str(NODE), "app.handler"], tmp_path) as dialogue:
        said = await answers(dialogue, a_batch(["whole", "poisoned"]))
        broken = await answers(dialogue, a_batch(["half"]))

    assert [answer.outcome for answer in said] == [None, FAILED]
    assert broken[0].outcome is FAILED
    assert "half way" in str(broken[0].reason)
