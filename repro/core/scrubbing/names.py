"""Patterns of names that say what stands beside them: a secret, a body, what everybody knows."""

from __future__ import annotations

SECRET_WORD = (
    r"(?:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PWD|_PASS(?![A-Z])|_PW(?![A-Z])|CREDENTIAL"
    r"|API[_-]?KEY|ACCESS[_-]?KEY"
    r"|PRIVATE[_-]?KEY|ACCOUNT[_-]?KEY|ENCRYPTION[_-]?KEY|(?<![A-Z])AUTH(?![A-Z])|AUTHORIZATION"
    r"|SIGNATURE|COOKIE|SESSION_?ID"
    r"|CONNECTION_?STRING|WEBHOOK|DATABASE_URL|(?<![A-Z])DSN(?![A-Z]))"
)
SECRET_NAME = rf"[\w.-]*{SECRET_WORD}[\w.-]*"

BODY_KEYS = (
    r"(?:(?:Message)?Body|message_body|StringValue|BinaryValue|StringListValues|BinaryListValues"
    r"|Message|Subject|Item|Key"
    r"|ExpressionAttributeValues|AttributeUpdates|Data|Records|Detail|Payload|ClientContext"
    r"|RawMessage|Metadata|Value|Html"
    r"|body|payload|input|data|json|output|cause)"
)
"""What is sent, as services of AWS and clients of HTTP call it."""

KEPT_VARIABLES = r"(?:REPRO_|PYTHON|GEVENT_|GREENLET_|LOCUST_SKIP_|LC_|LANG\b)"
"""Variables that change what a cell does and hold nothing of anybody."""

KEPT_HOSTS = (
    r"(?:localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1\]|(?:sqs|sns|dynamodb|kinesis|lambda|events"
    r"|states|email|sts|s3|monitoring)"
    r"(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?\.amazonaws\.com|(?:[\w-]+\.)*(?:aws\.amazon\.com"
    r"|github\.com|githubusercontent\.com"
    r"|python\.org|pypi\.org|pythonhosted\.org|readthedocs\.io|locust\.io|gevent\.org|w3\.org"
    r"|example\.(?:com|org|net)))"
)
"""Hosts that everybody knows."""
