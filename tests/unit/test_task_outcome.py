"""How a task ended, by its stop code and its containers."""

import pytest
from botocore.session import Session

from watchbot.task_outcome import BY_CONTAINERS, BY_STOP_CODE, EndedContainer, outcome_of


def ended(code: int | None, essential: bool | None = True, at: int = 5) -> EndedContainer:
    return EndedContainer(exit_code=code, essential=essential, stopped_in=at)


@pytest.mark.parametrize(
    ("stop_code", "containers", "outcome"),
    [
        pytest.param("TaskFailedToStart", [], "failed_to_start", id="never started"),
        pytest.param("UserInitiated", [ended(137)], "stopped", id="a person"),
        pytest.param("ServiceSchedulerInitiated", [ended(0)], "stopped", id="scaling"),
        pytest.param("SpotInterruption", [ended(0)], "interrupted", id="Spot"),
        pytest.param("TerminationNotice", [ended(137)], "interrupted", id="Spot on EC2"),
        pytest.param("InfrastructureHealth", [ended(None)], "interrupted", id="host"),
        pytest.param("EssentialContainerExited", [ended(0)], "success", id="zero"),
        pytest.param("EssentialContainerExited", [ended(1)], "failed", id="one"),
        pytest.param("EssentialContainerExited", [ended(137)], "failed", id="out of memory"),
        pytest.param("EssentialContainerExited", [ended(None)], "unknown", id="no code"),
        pytest.param(None, [], "unknown", id="nothing known"),
        pytest.param(
            None, [ended(0, at=4), ended(137, essential=False)], "success", id="sidecar killed"
        ),
        pytest.param(
            None, [ended(0, essential=False, at=3), ended(2)], "failed", id="sidecar ended well"
        ),
        pytest.param(
            None, [ended(0, at=4), ended(137, at=5)], "success", id="second essential killed"
        ),
        pytest.param(
            None, [ended(1, at=5), ended(137, at=4)], "failed", id="first essential killed"
        ),
        pytest.param(None, [ended(0), ended(137)], "success", id="seen stopped together"),
        pytest.param(None, [ended(1), ended(143)], "failed", id="failed together"),
        pytest.param(
            None, [ended(0, essential=None), ended(137, essential=None)], "unknown", id="a guess"
        ),
        pytest.param(
            None, [ended(0, essential=None), ended(0, essential=None)], "success", id="all agree"
        ),
        pytest.param(
            None, [ended(1, essential=None), ended(137, essential=None)], "failed", id="all bad"
        ),
    ],
)
def test_outcome(stop_code: str | None, containers: list[EndedContainer], outcome: str) -> None:
    assert outcome_of(stop_code, containers) == outcome


# ECS's model has them from botocore 1.43 on, and the one that aioboto3 brings may be older.
LATER = {"InfrastructureHealth"}


def test_every_stop_code_of_ecs_has_an_outcome() -> None:
    model = Session().get_service_model("ecs")

    known = set(model.shape_for("TaskStopCode").enum)
    assert known | LATER == BY_CONTAINERS | set(BY_STOP_CODE)
