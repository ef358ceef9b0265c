"""Each fault of the credentials has its own error and its own advice."""

import pytest
from botocore import exceptions as boto

from watchbot.credentials import UnreadSignIn, judged
from watchbot.errors import AwsError, CredentialsAway, Denied, NotConfigured, SignInNeeded


def refusal(code: str, operation: str, status: int = 403) -> boto.ClientError:
    metadata = {"HTTPStatusCode": status}
    return boto.ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, operation)


@pytest.mark.parametrize(
    ("fault", "kind", "advice"),
    [
        (boto.UnauthorizedSSOTokenError(), SignInNeeded, "aws sso login --profile work"),
        (boto.SSOTokenLoadError(error_msg="x"), SignInNeeded, "aws sso login --profile work"),
        (
            boto.TokenRetrievalError(provider="sso", error_msg="expired"),
            SignInNeeded,
            "aws sso login --profile work",
        ),
        *[
            (boto.LoginError(), SignInNeeded, "aws login --profile work")
            for known in (hasattr(boto, "LoginError"),)  # botocore has it from 1.41 on
            if known
        ],
        (UnreadSignIn(), NotConfigured, "aws configure export-credentials --profile work"),
        (boto.RefreshWithMFAUnsupportedError(), SignInNeeded, "MFA"),
        (EOFError("EOF when reading a line"), SignInNeeded, "MFA"),
        (refusal("ExpiredToken", "ReceiveMessage"), SignInNeeded, "get new ones (profile work)"),
        (refusal("AccessDenied", "AssumeRole"), Denied, "role_arn"),
        (refusal("Throttling", "AssumeRole", 400), CredentialsAway, "tries again"),
        (refusal("InternalFailure", "GetRoleCredentials", 500), CredentialsAway, "tries again"),
        (
            boto.CredentialRetrievalError(provider="custom-process", error_msg="exit 1"),
            CredentialsAway,
            "credential_process",
        ),
        (FileNotFoundError("no such program"), CredentialsAway, "credential_process"),
        (
            boto.CredentialRetrievalError(provider="container-role", error_msg="refused"),
            CredentialsAway,
            "agent or metadata service",
        ),
        (boto.MetadataRetrievalError(error_msg="x"), CredentialsAway, "metadata service"),
        (
            RuntimeError("Credentials were refreshed, but the refreshed credentials are still "
                         "expired."),
            CredentialsAway,
            "clock",
        ),
        (boto.NoCredentialsError(), NotConfigured, "AWS_PROFILE or AWS_ACCESS_KEY_ID"),
        (
            boto.PartialCredentialsError(provider="env", cred_var="x"),
            NotConfigured,
            "id and its secret",
        ),
        (boto.ProfileNotFound(profile="wrok"), NotConfigured, "aws configure list-profiles"),
        (boto.NoRegionError(), NotConfigured, "AWS_REGION"),
        (boto.ConfigParseError(path="/c"), NotConfigured, "~/.aws/config"),
        (boto.InvalidConfigError(error_msg="x"), NotConfigured, "~/.aws/config"),
    ],
)  # fmt: skip
def test_kind_has_its_own_error_and_advice(
    fault: BaseException, kind: type[AwsError], advice: str
) -> None:
    found = judged(fault, "work")

    assert found is not None
    assert found[0] is kind
    assert advice in found[1]


@pytest.mark.parametrize(
    "fault",
    [
        refusal("AccessDenied", "ReceiveMessage"),
        boto.EndpointConnectionError(endpoint_url="http://x"),
        boto.ReadTimeoutError(endpoint_url="http://x"),
        RuntimeError("something else"),
    ],
)
def test_other_faults_are_not_blamed_on_credentials(fault: BaseException) -> None:
    assert judged(fault, None) is None


def test_advice_names_no_profile_where_none_is_chosen() -> None:
    found = judged(boto.UnauthorizedSSOTokenError(), None)

    assert found == (SignInNeeded, "sign in again: aws sso login")
