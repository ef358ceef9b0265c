"""Region and server, as the URL of a queue says them, in every form that SQS has had."""

import pytest

from watchbot.settings.base import AwsEndpoint
from watchbot.settings.whereabouts import Whereabouts, elsewhere_than_aws, whereabouts

ACCOUNT = "123456789012"


def queue(host: str) -> str:
    return f"https://{host}/{ACCOUNT}/q"


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-west-1.amazonaws.com", "eu-west-1"),
        ("SQS.EU-WEST-1.AMAZONAWS.COM", "eu-west-1"),
        ("sqs.ap-southeast-3.amazonaws.com:443", "ap-southeast-3"),
        ("sqs.eu-west-1.amazonaws.com.", "eu-west-1"),
        ("eu-west-1.queue.amazonaws.com", "eu-west-1"),
        ("queue.amazonaws.com", "us-east-1"),
        ("sqs.amazonaws.com", "us-east-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("cn-northwest-1.queue.amazonaws.com.cn", "cn-northwest-1"),
        ("sqs.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("us-gov-east-1.queue.amazonaws.com", "us-gov-east-1"),
        ("sqs.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
        ("sqs.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"),
        ("us-isob-east-1.queue.sc2s.sgov.gov", "us-isob-east-1"),
        ("sqs.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"),
        ("sqs.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        ("sqs.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
    ],
)
def test_usual_name_says_the_region(host: str, region: str) -> None:
    assert whereabouts(queue(host)) == Whereabouts(region, None)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs-fips.us-east-2.amazonaws.com", "us-east-2"),
        ("sqs-fips.ca-central-1.api.aws", "ca-central-1"),
        ("sqs.eu-central-1.api.aws", "eu-central-1"),
        ("sqs.us-gov-west-1.api.aws", "us-gov-west-1"),
        ("sqs.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"),
        ("sqs.eusc-de-east-1.api.amazonwebservices.eu", "eusc-de-east-1"),
        ("sqs.us-iso-east-1.api.aws.ic.gov", "us-iso-east-1"),
        ("vpce-0a1b2c-9xyz.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("vpce-0a1b2c-9xyz-eu-west-1a.sqs.eu-west-1.vpce.amazonaws.com", "eu-west-1"),
        ("vpce-0a1b2c-9xyz.sqs.cn-north-1.vpce.amazonaws.com.cn", "cn-north-1"),
    ],
)
def test_chosen_server_is_asked_and_says_the_region(host: str, region: str) -> None:
    assert whereabouts(queue(host)) == Whereabouts(region, f"https://{host}")


@pytest.mark.parametrize(
    ("url", "region", "server"),
    [
        ("http://localhost:9324/queue/q", None, "http://localhost:9324"),
        (f"http://localhost:4566/{ACCOUNT}/q", None, "http://localhost:4566"),
        ("http://[::1]:9324/000000000000/q", None, "http://[::1]:9324"),
        ("http://elasticmq:9324/000000000000/q.fifo", None, "http://elasticmq:9324"),
        (
            "http://localhost:4566/queue/eu-west-1/000000000000/q",
            "eu-west-1",
            "http://localhost:4566",
        ),
        (
            "http://sqs.eu-west-1.localhost.localstack.cloud:4566/000000000000/q",
            "eu-west-1",
            "http://sqs.eu-west-1.localhost.localstack.cloud:4566",
        ),
        (
            "http://ap-south-1.queue.localhost.localstack.cloud:4566/000000000000/q",
            "ap-south-1",
            "http://ap-south-1.queue.localhost.localstack.cloud:4566",
        ),
        (f"https://proxy.example/sqs/{ACCOUNT}/q", None, "https://proxy.example/sqs"),
        (f"https://proxy.example/a/b/{ACCOUNT}/q", None, "https://proxy.example/a/b"),
        (  # a name that only begins as AWS's does
            f"https://queue.amazonaws.com.example/{ACCOUNT}/q",
            None,
            "https://queue.amazonaws.com.example",
        ),
        (
            f"https://notsqs.eu-west-1.amazonaws.com/{ACCOUNT}/q",
            None,
            "https://notsqs.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_server_of_somebody_else_is_asked(url: str, region: str | None, server: str) -> None:
    assert whereabouts(url) == Whereabouts(region, server)


@pytest.mark.parametrize(
    ("place", "region"),
    [
        ("arn:aws:sns:ap-south-1:123456789012:t", "ap-south-1"),
        ("arn:aws-cn:sns:cn-north-1:123456789012:t", "cn-north-1"),
        ("arn:aws-us-gov:dynamodb:us-gov-west-1:123456789012:table/t", "us-gov-west-1"),
        ("arn:aws-iso-b:ecs:us-isob-east-1:123456789012:cluster/c", "us-isob-east-1"),
        ("table", None),
        ("arn:aws:s3:::bucket", None),
        ("", None),
    ],
)
def test_arn_says_the_region_and_never_a_server(place: str, region: str | None) -> None:
    assert whereabouts(place) == Whereabouts(region, None)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("http://127.0.0.1:4566/123456789012/q", "http://127.0.0.1:4566"),
        (
            "http://sqs.us-east-1.localhost.localstack.cloud:4566/123456789012/q",
            "http://sqs.us-east-1.localhost.localstack.cloud:4566",
        ),
        ("https://sqs.us-east-1.amazonaws.com/123456789012/q", None),
        ("https://sqs-fips.us-east-1.amazonaws.com/123456789012/q", None),
        ("https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com/123456789012/q", None),
        ("https://sqs.eu-west-1.api.aws/123456789012/q", None),
    ],
)
def test_servers_that_are_not_of_aws(url: str, server: str | None) -> None:
    assert elsewhere_than_aws(url) == server


VPCE = "https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com"


def test_other_services_are_not_asked_at_the_queues_own_server() -> None:
    place = f"{VPCE}/{ACCOUNT}/q"

    assert AwsEndpoint().near(place) == AwsEndpoint(region="eu-west-1", endpoint_url=VPCE)
    assert AwsEndpoint().in_region_of(place) == AwsEndpoint(region="eu-west-1")


def test_what_was_asked_for_goes_before_the_place() -> None:
    asked = AwsEndpoint(region="us-east-1", endpoint_url="http://here")

    assert asked.near(f"{VPCE}/{ACCOUNT}/q") == asked
    assert asked.in_region_of(f"{VPCE}/{ACCOUNT}/q") == asked
    assert AwsEndpoint(endpoint_url="http://here").near(f"{VPCE}/{ACCOUNT}/q") == AwsEndpoint(
        region="eu-west-1", endpoint_url="http://here"
    )
