"""A region of the user's own AWS account, opened by boto3's ordinary chain; every refusal becomes one clear sentence.

No sentence carries a credential. SQS answers a wrong signature with the whole canonical request, session token
included: of a refusal only the code is repeated, and of everything else only what is left after the credentials are
taken out.
"""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from repro.core.scrubbing.markers import Marker
from repro.errors import BackendError, UsageError

CONNECT_LIMIT_S = 5.0
READ_LIMIT_S = 10.0
ATTEMPTS = 3
MOST_WORDS = 300

_REFUSED = {
    "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException",
    "MissingAuthenticationToken", "InvalidAccessKeyId", "AuthFailure", "InvalidSecurity", "IncompleteSignature",
}  # fmt: skip
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_FORBIDDEN = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized", "OptInRequired"}
_THROTTLED = {
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException",
    "RequestLimitExceeded", "TooManyRequestsException", "SlowDown",
}  # fmt: skip
GONE = {"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"}


@dataclass(frozen=True)
class Account:
    """A region of an account: ``session`` is boto3's; ``endpoint_url`` was asked for, empty for the public one."""

    region: str
    profile: str
    endpoint_url: str
    session: Any = field(repr=False)

    def client(self, *, read_limit_s: float = READ_LIMIT_S, attempts: int = ATTEMPTS) -> Any:
        """An SQS client; endpoints that the user's configuration names are passed over: ``aws`` means AWS."""
        from botocore.config import Config

        config = Config(
            connect_timeout=min(CONNECT_LIMIT_S, read_limit_s),
            read_timeout=read_limit_s,
            retries={"total_max_attempts": attempts, "mode": "standard"},
            ignore_configured_endpoint_urls=True,
            user_agent_extra="repro",
        )
        with self.sentences("open SQS"):
            return self.session.client("sqs", endpoint_url=self.endpoint_url or None, config=config)

    def credentials(self) -> Any:
        """The credentials as they are now, refreshed when they were about to expire.

        Raises:
            BackendError: there are none, or they cannot be had.
        """
        with self.sentences("read the credentials"):
            found = self.session.get_credentials()
            frozen = found.get_frozen_credentials() if found is not None else None
        if frozen is None or not frozen.access_key or not frozen.secret_key:
            raise BackendError(
                "no AWS credentials are found; run `aws sso login` or `aws configure`, set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or name a profile with --profile"
            )
        return frozen

    @contextlib.contextmanager
    def sentences(self, what: str) -> Iterator[None]:
        """Every failure of boto3 within becomes a ``BackendError`` that says what could not be done."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            raise BackendError(self._refusal(what, error)) from None  # the cause's text may carry the session token
        except BotoCoreError as error:
            raise BackendError(self._failure(what, error)) from None

    def _refusal(self, what: str, error: Any) -> str:
        code = code_of(error)
        where = f"cannot {what} in {self.region}"
        if code in _EXPIRED:
            return f"{where}: the credentials have expired ({code}); run `aws sso login`, or get new ones"
        if code in _REFUSED:
            return f"{where}: AWS refuses the credentials ({code}); check them with `aws sts get-caller-identity`"
        if code in _FORBIDDEN:
            return (
                f"{where}: these credentials may not do that ({code}); allow sqs:CreateQueue, TagQueue, DeleteQueue, "
                "ListQueues, ListQueueTags, GetQueueUrl, GetQueueAttributes, SendMessage, ReceiveMessage and "
                "DeleteMessage"
            )
        if code in _THROTTLED:
            return f"{where}: AWS throttles this account ({code}); wait a minute, or use fewer users and --jobs 1"
        return (
            f"{where}: {code}: {self._without_secrets(str(error.response['Error'].get('Message', '')))}; see --region"
        )

    def _failure(self, what: str, error: Exception) -> str:
        kind, where = type(error).__name__, f"cannot {what} in {self.region}"
        if kind in {"SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "LoginTokenLoadError"}:
            with_profile = f" --profile {self.profile}" if self.profile else ""
            return f"{where}: the login has ended ({kind}); run `aws sso login{with_profile}`"
        if kind in {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}:
            return f"{where}: the credentials are not complete ({kind}); run `aws configure`, or use --profile"
        if kind in {"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError"}:
            target = self.endpoint_url or f"the SQS of {self.region}"
            return f"{where}: {target} does not answer ({kind}); check the network, the proxy and --region"
        if kind == "SSLError":
            said = self._without_secrets(str(error))
            return f"{where}: no TLS with {self.endpoint_url or 'AWS'}: {said}; check the URL and AWS_CA_BUNDLE"
        return f"{where}: {kind}: {self._without_secrets(str(error))}; check the credentials and --region"

    def _without_secrets(self, text: str) -> str:
        credentials = None
        with contextlib.suppress(Exception):  # they may be the very thing that failed
            credentials = self.session.get_credentials()
        for value in (credentials.access_key, credentials.secret_key, credentials.token) if credentials else ():
            text = text.replace(value, Marker.SECRET) if value else text
        return " ".join(text.split())[:MOST_WORDS]


def open_account(region: str, *, profile: str | None = None, endpoint_url: str | None = None) -> Account:
    """The account of the user's ordinary chain: profile, SSO, environment, instance.

    Raises:
        UsageError: there is no such profile, or no SQS in that region; BackendError: the configuration is broken.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ProfileNotFound

    try:
        session = boto3.session.Session(profile_name=profile or None, region_name=region)
        regions = [
            name for part in session.get_available_partitions() for name in session.get_available_regions("sqs", part)
        ]
    except ProfileNotFound as error:
        raise UsageError(f"{error}; choose one of `aws configure list-profiles` with --profile") from None
    except BotoCoreError as error:
        raise BackendError(f"the AWS configuration cannot be read: {error}; check ~/.aws/config") from None
    if region not in regions:
        near = ", ".join(difflib.get_close_matches(region, regions, n=3)) or "eu-central-1, us-east-1, …"
        raise UsageError(f"--region {region}: this boto3 knows no SQS in that region; choose one such as {near}")
    return Account(region, profile or "", (endpoint_url or "").rstrip("/"), session)


def code_of(error: Any) -> str:
    """A ``ClientError``'s code without the prefix that one protocol has and the other has not."""
    return str(error.response.get("Error", {}).get("Code", "")).rpartition("#")[2]
