from watchbot.queues.state import QueueState
from watchbot.queues.table import COLUMNS, table
from watchbot.sqs.pause import Pause
from watchbot.sqs.redrive import Redrive

SERVER = "https://sqs.eu-west-1.amazonaws.com/123456789012"


def state(name: str, visible: int = 0, **more: object) -> QueueState:
    messages = {"visible": visible, "in_flight": 0, "delayed": 0}
    return QueueState(url=f"{SERVER}/{name}", messages=messages, **more)  # type: ignore[arg-type]  # any field


def redrive_to(name: str) -> Redrive:
    return Redrive(target_arn=f"arn:aws:sqs:eu-west-1:123456789012:{name}", max_receives=5)


def test_table_lines_up_and_shows_a_pause_below_its_queue() -> None:
    pause = Pause(reason="bad deploy", by="arn:aws:iam::123456789012:user/ana", at="2026-11-29")
    high = state(
        "orders-high",
        1_204,
        oldest_s=730,
        redrive=redrive_to("orders-dead"),
        dead_letters=3,
        pause=pause,
    )

    assert table([high, state("orders-low")]) == [
        "QUEUE        VISIBLE  IN FLIGHT  DELAYED  OLDEST  DEAD  DEAD-LETTER QUEUE",
        "orders-high    1,204          0        0  12 min     3  orders-dead, after 5",
        "    PAUSED: bad deploy, by arn:aws:iam::123456789012:user/ana, since 2026-11-29",
        "orders-low         0          0        0       -     -  none",
    ]


def test_what_could_not_be_read_is_told() -> None:
    unknown = {"paused": "list_queue_tags: AccessDenied", "dead_letters": "facts: AccessDenied"}
    lines = table([state("q", redrive=redrive_to("dead"), unknown=unknown)])

    assert lines[1].split() == ["q", "0", "0", "0", "-", "?", "dead,", "after", "5"]
    assert lines[2] == (
        "    not known: paused (list_queue_tags: AccessDenied); dead_letters (facts: AccessDenied)"
    )


def test_no_line_is_wider_than_the_screen() -> None:
    pause = Pause(reason="word " * 50, by="arn:aws:iam::123456789012:user/" + "a" * 64)
    name, dead = "q-" * 40, "d-" * 40
    wide = state(name, 10**9, redrive=redrive_to(dead), dead_letters=10**9, pause=pause)

    lines = table([wide, state("short")])

    assert max(map(len, lines)) <= COLUMNS
    assert name in lines  # a name is never broken
    assert any(f"{dead}, after 5" in line for line in lines)


def test_age_is_in_the_unit_that_reads_best() -> None:
    for seconds, text in ((59, "59 s"), (60, "1 min"), (7_200, "2 h"), (200_000, "2 d")):
        assert text in table([state("q", oldest_s=seconds)])[1]


def test_dead_letter_queue_names_its_queues() -> None:
    assert table([state("dead", sources=("a", "b"))])[1].endswith("is that of a, b")
