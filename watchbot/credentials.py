"""Explains errors of credentials: our error class, and the step that mends it.

boto's own messages are many lines, name no profile, and blame the network.
"""

import sys
from typing import Any

from botocore import exceptions as boto

from watchbot.errors import AwsError, CredentialsAway, Denied, NotConfigured, SignInNeeded

# Calls that boto makes to get credentials, before the call that needs them.
_FETCHES = {
    *("AssumeRole", "AssumeRoleWithWebIdentity", "GetRoleCredentials", "CreateToken"),
    *("GetSessionToken", "CreateOAuth2Token"),
}
_ENDED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}

# By name: botocore has it from 1.41 on, and the one that aioboto3 brings may be older.
_LOGIN: tuple[type[BaseException], ...] = tuple(
    getattr(boto, name) for name in ("LoginError",) if hasattr(boto, name)
)
_SSO = (boto.SSOError, boto.TokenRetrievalError, boto.NoAuthTokenError)
_AWAY = (boto.MetadataRetrievalError, boto.CredentialRetrievalError)

Found = tuple[type[AwsError], str]  # the error, and the advice


def judged(fault: BaseException, profile: str | None, *, opening: bool = False) -> Found | None:
    """The error class and the advice if the credentials are at fault, else None.

    `opening`: no call was made yet, so the fault must be in the configuration.
    """
    if isinstance(fault, boto.ClientError):
        return _by_answer(fault, profile)
    return _by_kind(fault, profile) or (_by_process(fault) if opening else None)


# botocore has no types, so mypy takes its class for `Any`, which strict refuses as a base.
class UnreadSignIn(boto.BotoCoreError):  # type: ignore[misc]  # boto has no types
    """The profile has only the sign-in of `aws login`, and this botocore cannot read it."""

    fmt = "this version does not read the sign-in of `aws login`"


def prepare(session: Any) -> None:
    """Changes the credential sources of a botocore session before a client is made from it.

    It asks for an MFA code only at a terminal, and raises `UnreadSignIn` instead of "no
    credentials" for a profile whose only credentials are the sign-in of `aws login`.
    """
    _ask_nobody(session)
    session.get_component("credential_provider").providers.append(_SignIn(session))


class _SignIn:
    """The last source in botocore's chain: it is reached when no other has credentials.

    A botocore that reads this sign-in has its own source, earlier in the chain.
    """

    METHOD = CANONICAL_NAME = "unread-sign-in"

    def __init__(self, session: Any) -> None:
        self._session = session

    async def load(self) -> None:
        if "login_session" in self._session.get_scoped_config():
            raise UnreadSignIn


def _ask_nobody(session: Any) -> None:
    """Lets the session ask for an MFA code only if standard input is a terminal.

    Else boto would read the code from standard input, which may hold the messages to send.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        provider = session.get_component("credential_provider").get_provider("assume-role")
        provider._prompter = _refuse_to_ask


def _refuse_to_ask(prompt: str) -> str:
    raise boto.RefreshWithMFAUnsupportedError


def _by_answer(fault: boto.ClientError, profile: str | None) -> Found | None:
    code = fault.response.get("Error", {}).get("Code", "")
    status = fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    if code in _ENDED:
        return SignInNeeded, f"the credentials have ended; get new ones{_as(profile)}, start again"
    if fault.operation_name not in _FETCHES:
        return None
    if status >= 500 or "hrottl" in code:
        return CredentialsAway, "nothing to do: watchbot tries again"
    return Denied, f"check `role_arn` and its trust policy{_as(profile)}"


def _by_kind(fault: BaseException, profile: str | None) -> Found | None:
    option = f" --profile {profile}" if profile else ""
    kinds: list[tuple[tuple[type[BaseException], ...], Found]] = [
        (_SSO, (SignInNeeded, f"sign in again: aws sso login{option}")),
        (
            (UnreadSignIn,),
            (
                NotConfigured,
                "set AWS_PROFILE to a profile with this line: credential_process = "
                f"aws configure export-credentials --profile {profile or 'default'} "
                "--format process",
            ),
        ),
        (_LOGIN, (SignInNeeded, f"sign in again: aws login{option}")),
        (
            (boto.RefreshWithMFAUnsupportedError, EOFError),
            (
                SignInNeeded,
                "a service cannot ask for an MFA code: give it a role without one, or the "
                "credentials of `aws sts get-session-token`",
            ),
        ),
        (
            (boto.ProfileNotFound,),
            (NotConfigured, "set AWS_PROFILE to one of `aws configure list-profiles`"),
        ),
        (
            (boto.PartialCredentialsError,),
            (NotConfigured, "set both the access key's id and its secret, or neither"),
        ),
        (
            (boto.NoCredentialsError,),
            (
                NotConfigured,
                "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the "
                "machine or the task a role",
            ),
        ),
        (
            (boto.NoRegionError, boto.InvalidRegionError),
            (NotConfigured, "set AWS_REGION or --region"),
        ),
        (
            (
                *(boto.ConfigParseError, boto.ConfigNotFound, boto.InvalidConfigError),
                *(boto.UnknownCredentialError, boto.EndpointProviderError),
            ),
            (NotConfigured, "mend ~/.aws/config, or what AWS_CONFIG_FILE names"),
        ),
    ]
    for faults, found in kinds:
        if isinstance(fault, faults):
            return found
    return _by_source(fault)


def _by_source(fault: BaseException) -> Found | None:
    """The error and advice if the source of the credentials failed, perhaps only for now."""
    if isinstance(fault, boto.CredentialRetrievalError):
        provider = str(fault.kwargs.get("provider", ""))
        if provider == "custom-process":
            return _process()
    if isinstance(fault, _AWAY):
        return CredentialsAway, "check the agent or metadata service that hands out credentials"
    if isinstance(fault, RuntimeError) and "credentials are still expired" in str(fault):
        return CredentialsAway, "check the clock of this machine, and what hands out credentials"
    if isinstance(fault, (FileNotFoundError, PermissionError)):
        return _process()
    return None


def _by_process(fault: BaseException) -> Found | None:
    if isinstance(fault, (boto.BotoCoreError, ValueError)) and "JSON" not in type(fault).__name__:
        return None
    return _process()


def _process() -> Found:
    return CredentialsAway, "run the `credential_process` of the profile by hand, and mend it"


def _as(profile: str | None) -> str:
    return f" (profile {profile})" if profile else ""
