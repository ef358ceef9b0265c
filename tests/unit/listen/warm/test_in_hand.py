"""The messages that a process works on."""

from collections.abc import Sequence

from tests.support.builders import a_job_of, a_message
from watchbot.listen.output import About, Output
from watchbot.listen.report import Run
from watchbot.listen.runner import Job
from watchbot.listen.warm.dialogue import Answer
from watchbot.listen.warm.in_hand import InHand, Router
from watchbot.outcome import COMPLETED, FAILED, RELEASED, ExitCodes

RUN = Run(id="r", duration_s=1)


def in_hand(batch: Sequence[Job]) -> InHand:
    def output(part: Sequence[Job]) -> Output:
        return Output(About(ids=[job.message.id for job in part]), structured=False)

    return InHand(
        batch, Router(Output(About(), structured=False)), output, lambda: RUN, ExitCodes()
    )


async def test_message_whose_lease_was_lost_is_not_handed_over_and_answers_are_for_the_others() -> (
    None
):
    lost = set[str]()
    batch = [
        a_job_of(message, withheld=lambda message=message: "lost" if message.id in lost else None)
        for message in map(a_message, "abc")
    ]
    hand = in_hand(batch)
    lost.add("b")

    held = [job.message.id for job in hand.to_hand_over()]
    await hand.take([Answer(exit_code=0)])
    await hand.take([Answer(exit_code=1)])

    assert held == ["a", "c"]
    assert [verdict.outcome for verdict in hand.verdicts] == [COMPLETED, RELEASED, FAILED]
    assert hand.verdicts[1].run is None
