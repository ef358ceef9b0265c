import pytest

from watchbot.sqs import pause
from watchbot.sqs.memory import MemoryQueue
from watchbot.sqs.pause import Pause


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nightly load", "nightly load"),
        ("schöner Tag um 5:30", "schöner Tag um 5:30"),
        ("don't; see (wiki)!", "don_t_ see _wiki__"),
        ("two\nlines\tand  spaces\u2028", "two lines and spaces"),
        ("a\x1b[31mred\x00", "a__31mred_"),
        ("x" * 300, "x" * 256),
        ("x" * 255 + " y", "x" * 255),
        ("", ""),
    ],
)
async def test_reason_is_cut_to_what_a_tag_can_hold(text: str, value: str) -> None:
    queue = MemoryQueue()

    written = await pause.write(queue, Pause(reason=text))

    assert written.reason == value
    assert (await queue.tags())["watchbot:paused"] == value


async def test_tag_of_somebody_else_breaks_no_line() -> None:
    queue = MemoryQueue()
    await queue.tag({"watchbot:paused": "a\r\nlevel=error", "watchbot:paused-by": "b\n" * 500})

    found = await pause.read(queue)

    assert found is not None
    assert "\n" not in str(found)
    assert found.reason == "a level=error"
    assert len(found.by) == 256 - 1  # and no space at its end


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (Pause(), "no reason given"),
        (Pause(reason="a load"), "a load"),
        (Pause(reason="a load", by="ann", at="today"), "a load, by ann, since today"),
        (Pause(by="ann"), "no reason given, by ann"),
    ],
)
def test_pause_says_why_by_whom_and_since_when(known: Pause, words: str) -> None:
    assert str(known) == words
