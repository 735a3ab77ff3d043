"""One call of an SQS over a connection of its own: small, quick, without retries, proxies or anybody's AWS settings.

boto3 would read the user's profile, proxies and retries, and a call of it costs ten of these: the probe has to get
through while 200 users hammer. The protocol is AWS JSON 1.0:
https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from repro.errors import UsageError
from repro.world.backends.protocol import REGION

MADE_UP = "repro"
"""The key and secret for emulators: they ask for some, whatever they are."""

_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Date": "20260101T000000Z",
    "Authorization": f"AWS4-HMAC-SHA256 Credential={MADE_UP}/20260101/{REGION}/sqs/aws4_request, "
    "SignedHeaders=host, Signature=0",
    "X-Repro-Own": "1",  # for the embedded server's log: this is none of the load's requests
}
OK = 200
MOST_WORDS = 200


class WireError(Exception):
    """What came instead of an answer, in a few words: no connection, no TLS, silence, or no SQS."""


class RefusalError(WireError):
    """An SQS answered, and said no; ``code`` is its error code."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{code}: {words}" if words else code)
        self.code = code


class Wire:
    """Calls of the SQS at ``endpoint_url``; holds no connection, so that any thread may call.

    Raises:
        UsageError: it is not the URL of a server.
    """

    def __init__(self, endpoint_url: str) -> None:
        self._target = urlsplit(endpoint_url)
        try:
            self._port = self._target.port
        except ValueError:
            self._port = -1
        if self._target.scheme not in {"http", "https"} or not self._target.hostname or self._port == -1:
            raise UsageError(
                f"--endpoint-url {endpoint_url}: this is not a URL; give one such as http://127.0.0.1:5000"
            )

    def connect(self, limit_s: float) -> http.client.HTTPConnection:
        """A connection to be; it connects with its first call, and again whenever the server closed it."""
        host = self._target.hostname or ""
        if self._target.scheme == "http":
            return http.client.HTTPConnection(host, self._port, timeout=limit_s)
        context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
        return http.client.HTTPSConnection(host, self._port, timeout=limit_s, context=context)

    def call(self, action: str, parameters: Mapping[str, Any], *, limit_s: float) -> dict[str, Any]:
        """The answer to one call over a fresh connection; ``limit_s`` seconds for each step of it.

        Raises:
            WireError: there is no answer that an SQS gives; RefusalError: there is, and it is no.
        """
        with contextlib.closing(self.connect(limit_s)) as connection:
            return self.call_on(connection, action, parameters)

    def call_on(
        self, connection: http.client.HTTPConnection, action: str, parameters: Mapping[str, Any]
    ) -> dict[str, Any]:
        """The same over a connection of ``connect``, for one call after the other."""
        headers = {**_HEADERS, "X-Amz-Target": f"AmazonSQS.{action}"}
        try:
            connection.request("POST", self._target.path or "/", json.dumps(parameters), headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise WireError(_words(error, is_tls=self._target.scheme == "https")) from error
        return _read(answer.status, body)


def _words(error: Exception, *, is_tls: bool) -> str:
    """The failure in plain words; the order matters, an SSL error is an OSError too."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}; AWS_CA_BUNDLE names the authority to trust"
    if isinstance(error, ssl.SSLError):
        return f"it does not speak TLS ({error.reason or error}); is it http://?"
    if isinstance(error, TimeoutError):
        return "no answer within the limit"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, (http.client.BadStatusLine, ConnectionResetError)):
        hint = "" if is_tls else "; does it want https://?"
        return f"it closed the connection or spoke something other than HTTP{hint}"
    return f"{getattr(error, 'strerror', None) or error or type(error).__name__}"


def _read(status: int, body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        raise WireError(f"it answers {status}, but not as an SQS does: {_excerpt(body)}") from None
    if not isinstance(document, dict):
        raise WireError(f"it answers {status}, but not as an SQS does: {_excerpt(body)}")
    if status == OK:
        return document
    code = str(document.get("__type") or document.get("code") or "").rpartition("#")[2]
    if not code:
        raise WireError(f"it answers {status}, but not as an SQS does: {_excerpt(body)}")
    raise RefusalError(code, str(document.get("message") or document.get("Message") or "")[:MOST_WORDS])


def _excerpt(body: bytes) -> str:
    return " ".join(body[:MOST_WORDS].decode("utf-8", "replace").split()) or "an empty body"
