"""Tests what becomes of a run that AWS refuses, by code and text."""

import pytest

from watchbot.errors import AwsError, Denied, NotConfigured, Rejected, Throttled, Unreachable
from watchbot.schedule.start.refusals import refusal_of, table

PARAMETER, CLIENT = "InvalidParameterException", "ClientException"
NAMED = {
    "AccessDeniedException": Denied,
    "ExpiredTokenException": Denied,
    "NoCredentialsError": NotConfigured,
    "ThrottlingException": Throttled,
    "ServerException": AwsError,
}


def refused(code: str, text: str) -> AwsError:
    kind = NAMED.get(code, Rejected)
    return kind(service="ECS", operation="run_task", code=code, text=text)


@pytest.mark.parametrize(
    ("code", "text", "passes"),
    [
        (PARAMETER, "Error: Rate exceeded (Service: AmazonEC2; ErrorCode: Throttling)", True),
        (PARAMETER, "No Container Instances were found in your cluster.", True),
        (PARAMETER, "No Container Instances were found in your capacity provider", True),
        (CLIENT, "Capacity is unavailable at this time. Please try again later", True),
        (CLIENT, "You've reached the limit on the number of vCPUs you can run concurrently", True),
        (CLIENT, "ECS was unable to assume the role 'arn' that was provided for this task.", True),
        (PARAMETER, "Unable to assume the service linked role. Please verify", True),
        ("LimitExceededException", "The limit for the resource", True),
        ("AccessDeniedException", "User is not authorized to perform: ecs:RunTask", True),
        ("AccessDeniedException", "no PassRole", True),
        ("ExpiredTokenException", "The security token included in the request is expired", True),
        ("NoCredentialsError", "Unable to locate credentials", True),
        ("ServerException", "Service Unavailable", True),
        (CLIENT, "TaskDefinition not found.", False),
        (CLIENT, "TaskDefinition is inactive", False),
        (PARAMETER, "TaskDefinition is inactive", False),
        ("ClusterNotFoundException", "Cluster not found.", False),
        (PARAMETER, "Override for container named x is not a container in it", False),
        ("BlockedException", "Your account is currently blocked", False),
        ("PlatformUnknownException", "The specified platform version does not exist", False),
    ],
)
def test_refusal_that_may_pass_is_told_from_one_that_lasts(
    code: str, text: str, *, passes: bool
) -> None:
    assert refusal_of(refused(code, text)).passes is passes


def test_every_row_is_the_first_that_its_own_sample_fits() -> None:
    for row in table():
        code, _, text = row.sample.partition(": ")
        named = next((kind for name, kind in NAMED.items() if name == code), Rejected)
        found = refusal_of(named(service="ECS", operation="run_task", code=code, text=text))
        assert found.passes is row.passes, row.sample


def test_words_of_a_network_are_no_refusal() -> None:
    lost = Unreachable(service="ECS", operation="run_task", code="Timeout", text="rate exceeded")

    assert refusal_of(lost).passes
