"""What a secret looks like that nobody told us: a table of shapes, each with an example and a look-alike that must stay.

The prefixes and lengths of keys are what their issuers document. detect-secrets 1.5.0, which collects them too, was tried:
it has no Google key and no test key of Stripe, takes ``urllib3 1.26.18.1`` for an address, and some of its patterns grow with
the square of a line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from repro.presentation.values import replacer

SECRET_WORD = (
    r"(?:SECRET|TOKEN|PASSWORD|PASSWD|PASSPHRASE|PWD|_PASS(?![A-Z])|_PW(?![A-Z])|CREDENTIAL|API[_-]?KEY|ACCESS[_-]?KEY"  # noqa: S105  # names of secrets, no secret
    r"|PRIVATE[_-]?KEY|ACCOUNT[_-]?KEY|ENCRYPTION[_-]?KEY|(?<![A-Z])AUTH(?![A-Z])|AUTHORIZATION|SIGNATURE|COOKIE|SESSION_?ID"
    r"|CONNECTION_?STRING|WEBHOOK|DATABASE_URL|(?<![A-Z])DSN(?![A-Z]))"
)
SECRET_NAME = rf"[\w.-]*{SECRET_WORD}[\w.-]*"

BODY_KEYS = (
    r"(?:(?:Message)?Body|message_body|StringValue|BinaryValue|StringListValues|BinaryListValues|Message|Subject|Item|Key"
    r"|ExpressionAttributeValues|AttributeUpdates|Data|Records|Detail|Payload|ClientContext|RawMessage|Metadata|Value|Html"
    r"|body|payload|input|data|json|output|cause)"
)
"""What the services of AWS and HTTP's clients call what is sent: queues, topics, tables, objects, streams, events, mail."""

KEPT_VARIABLES = r"(?:REPRO_|PYTHON|GEVENT_|GREENLET_|LOCUST_SKIP_|LC_|LANG\b)"
"""Variables that change what a cell does and hold nothing of anybody."""

KEPT_HOSTS = (
    r"(?:localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1\]|(?:sqs|sns|dynamodb|kinesis|lambda|events|states|email|sts|s3|monitoring)"
    r"(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?\.amazonaws\.com|(?:[\w-]+\.)*(?:aws\.amazon\.com|github\.com|githubusercontent\.com"
    r"|python\.org|pypi\.org|pythonhosted\.org|readthedocs\.io|locust\.io|gevent\.org|w3\.org|example\.(?:com|org|net)))"
)
"""Hosts that everybody knows."""

_PACKAGE = r"(?:locust|gevent|greenlet|urllib3|boto3|botocore|requests|moto|uv|pip|python|version|release)"
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|\\\"(?:[^\"\\\n]|\\[^\"])*\\\""
_LITERAL = re.compile(_QUOTED)
_FORM_KEY = r"(?:[\w.]{0,80}\.)?(?:(?:Message)?Body|StringValue|BinaryValue|Message|Subject|Data|Payload|Detail|Value)"
_SEPARATOR = r"\\*['\"]?\s{0,20}(?:[:=]|%3[AaDd])\s{0,20}"
_BARE_SEPARATOR = r"(?:\\*['\"]?[ \t]{0,20}(?:[:=]|%3[AaDd])\s{0,20}|\\*['\"],\s{0,20}(?=\\*['\"]))"

Replace = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A kind of text that must not leave the machine.

    One of ``hints``, in small letters, is in every text that has it: looking for them first is what makes a large report
    quick. ``secret`` is the part of ``example`` that must go; ``stays`` looks like one and is none.
    """

    name: str
    replace: Replace
    example: str
    secret: str
    stays: str
    hints: tuple[str, ...] = ()

    def applied(self, text: str, small: str) -> str:
        """The text without it; ``small`` is the text in small letters."""
        return self.replace(text) if not self.hints or any(hint in small for hint in self.hints) else text


def _sub(pattern: str, word: str | Callable[[re.Match[str]], str]) -> Replace:
    """A replacement by a regular expression. Its repetitions at the beginning are bounded: a cell may print a megabyte without a blank."""
    compiled = re.compile(pattern)
    return lambda text: compiled.sub(word, text)


def _key(pattern: str, *, word: str = "<secret>") -> Replace:
    """A replacement of a key that stands alone, not in the middle of a longer word."""
    return _sub(rf"(?<![A-Za-z0-9]){pattern}", word)


def _without_literals(found: re.Match[str]) -> str:
    """A line of somebody's own file without its string literals: a body may be given as one, and nothing else tells it."""
    return _LITERAL.sub("'<text>'", found[0])


def _address(found: re.Match[str]) -> str:
    """An address as ``<host>``; a version, and what is the same on every machine, as it is."""
    try:
        address = ip_address(found["address"])
    except ValueError:
        return found[0]
    is_everywhere = address.is_loopback or address.is_unspecified
    return found[0] if is_everywhere or found.groupdict().get("version") else "<host>"


SHAPES: tuple[Shape, ...] = (
    Shape(
        name="literals in a line of a stack of somebody's own file",
        hints=(".py:",),
        replace=_sub(r"(?m)(?:^|(?<=\s))[\w-]{1,100}\.py:\d+ \S+  .+$", _without_literals),
        example="locustfile.py:22 Buyer.work  self.send('card 4111', queue)",
        secret="card 4111",
        stays="http/client.py:986 HTTPConnection.send  self.putheader('Host')",
    ),
    Shape(
        name="literals in code that a sentence quotes",
        hints=("`",),
        replace=_sub(r"`[^`\n]*['\"][^`\n]*`", _without_literals),
        example='the main thread stands in mine.py:work, line 22, `self.send("card 4111")`',
        secret="card 4111",
        stays="the main thread stands in queue.py:get, line 22, `self.not_empty.wait()`",
    ),
    Shape(
        name="private key",
        hints=("-----begin", "----begin"),
        replace=_sub(r"(?s)-{4,5} ?BEGIN [^-\n]{1,60}-{4,5}.*?(?:-{4,5} ?END [^-\n]{1,60}-{4,5}|\Z)", "<secret>"),
        example="-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----",
        secret="MIIEow",
        stays="----- BEGIN with gevent -----",
    ),
    Shape(
        name="AWS access key",
        replace=_sub(r"(?:A3T[A-Z0-9]|ABIA|ACCA|AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA|AIPA)(?:[A-Z0-9]{12,}|(?:(?:\\?\n)?[A-Z0-9]){16})|(?<![A-Za-z0-9])(?:QUtJQ|QVNJQ)[A-Za-z0-9+/]{16,}={0,2}", "<access-key>"),
        hints=("a3t", "abia", "acca", "akia", "asia", "aroa", "aida", "agpa", "anpa", "anva", "aipa", "qutjq", "qvnjq"),
        example="AKIAIOSFODNN7EXAMPLE",
        secret="IOSFODNN7",
        stays="ASIA is a continent",
    ),
    Shape(
        name="AWS session token",
        hints=("fwog", "iqoj", "ahoj", "ihoj"),
        replace=_key(r"(?:FwoG|IQoJ|AHoJ|IHoJ)[\w+/=%-]{8,}"),
        example="token FwoGZXIvYXdzEBYaDHqa0AP and",
        secret="DHqa0AP",
        stays="FwoG",
    ),
    Shape(
        name="GitHub token",
        hints=("gh", "github_pat_"),
        replace=_key(r"(?:gh[a-z]_[A-Za-z0-9]{20,}|github_pat_\w{20,})"),
        example="ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        secret="abcdefghij",
        stays="ghp_tests github_pattern",
    ),
    Shape(
        name="GitLab token",
        hints=("gl", "gr1348941"),
        replace=_key(r"(?:gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-[\w.-]{16,}|gloas-[\w-]{16,}|GR1348941[\w-]{16,})"),
        example="glpat-abcdefghij0123456789",
        secret="abcdefghij",
        stays="glpat-none",
    ),
    Shape(
        name="Slack token or webhook",
        hints=("xox", "xapp-", "hooks.slack.com", "/services/t"),
        replace=_sub(r"(?<![A-Za-z0-9])(?:xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,})|(?<=/)services/T\w{6,}/B\w{6,}/\w{10,}", "<secret>"),
        example="xoxb-123456789012-abcdefABCDEF",
        secret="abcdefABCDEF",
        stays="xox-like",
    ),
    Shape(
        name="Stripe key",
        hints=("k_live_", "k_test_", "whsec_"),
        replace=_key(r"(?:(?:sk|rk|pk)_(?:live|test)_[0-9a-zA-Z]{10,}|whsec_[0-9a-zA-Z+/=]{16,})"),
        example="sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
        secret="4eC39HqLyj",
        stays="task_test_clean",
    ),
    Shape(
        name="Google key or token",
        hints=("aiza", "ya29.", "gocspx-"),
        replace=_sub(r"AIza[0-9A-Za-z_-]{30,}|(?<![A-Za-z0-9])(?:ya29\.[\w-]{10,}|GOCSPX-[\w-]{16,})", "<secret>"),
        example="AIza" + "SyDdI0hCZtE6vySjMm-WEfRq3CPzqKqqsHI",
        secret="DdI0hCZtE6",
        stays="AIza-Polo",
    ),
    Shape(
        name="Twilio key",
        hints=("sk", "ac"),
        replace=_key(r"(?:SK|AC)[0-9a-f]{32}(?![0-9A-Za-z])"),
        example="SK" + "0123456789abcdef0123456789abcdef",
        secret="0123456789abcdef",
        stays="0123456789abcdef0123456789abcdef",
    ),
    Shape(
        name="SendGrid key",
        hints=("sg.",),
        replace=_key(r"SG\.[\w-]{16,}\.[\w-]{16,}"),
        example="SG." + "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr",
        secret="TwL2iGABf9",
        stays="SG.send.mail",
    ),
    Shape(
        name="npm token",
        hints=("npm_", "_authtoken"),
        replace=_sub(r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{20,}|(?<=_authToken=)[^\s<]+", "<secret>"),
        example="npm_abcdefghijklmnopqrstuvwxyz0123456789",
        secret="abcdefghij",
        stays="npm_config_registry",
    ),
    Shape(
        name="PyPI token",
        hints=("pypi-",),
        replace=_key(r"pypi-Ag[A-Za-z0-9_-]{20,}"),
        example="pypi-AgEIcHlwaS5vcmcCJDY2ZTk0OGI2LTU4",
        secret="cHlwaS5vcmc",
        stays="pypi-simple-1.6.0",
    ),
    Shape(
        name="Azure storage key",
        hints=("accountkey", "sharedaccess", "sig="),
        replace=_sub(r"(?i)((?:AccountKey|SharedAccessKey|SharedAccessSignature|[?&]sig)=)[^\s;&'\"<]+", r"\1<secret>"),
        example="AccountName=a;AccountKey=" + "bbbbcccc" * 10 + "==;EndpointSuffix=x",
        secret="bbbbcccc",
        stays="AccountKey of nobody",
    ),
    Shape(
        name="Discord token",
        replace=_key(r"(?:mfa\.[\w-]{40,}|[MNO][A-Za-z\d_-]{23,27}\.[A-Za-z\d_-]{6}\.[A-Za-z\d_-]{27,38})(?![\w-])"),
        hints=(".",),
        example="MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs",
        secret="ZnCjm1XVW7",
        stays="NoCredentialsErrorOfBotocore.Client.receive_message",
    ),
    Shape(
        name="Telegram token",
        hints=(":a",),
        replace=_sub(r"(?<![A-Za-z0-9])(?:bot)?\d{8,10}:A[0-9A-Za-z_-]{33,35}(?![\w-])", "<secret>"),
        example="110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawQ",
        secret="AAHdqTcvCH",
        stays="12345678:AA",
    ),
    Shape(
        name="Mailchimp key",
        hints=("-us",),
        replace=_key(r"[0-9a-f]{32}-us[0-9]{1,2}(?![0-9A-Za-z])"),
        example="e2c8a5d1f0b94736e2c8a5d1f0b94736-us12",
        secret="e2c8a5d1f0b94736",
        stays="0123456789abcdef0123456789abcdef",
    ),
    Shape(
        name="key of OpenAI's form",
        hints=("sk-",),
        replace=_key(r"sk-(?:[a-z]{2,12}-)?[A-Za-z0-9_-]{20,}"),
        example="sk-proj-abcdefghij0123456789T3BlbkFJ",
        secret="abcdefghij",
        stays="task-sk-locust",
    ),
    Shape(
        name="JSON web token",
        hints=("eyj",),
        replace=_key(r"eyJ[\w-]{8,}(?:\.[\w-]*){0,4}"),
        example="eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        secret="eyJzdWIi",
        stays="eyJ",
    ),
    Shape(
        name="other issuers' keys",
        hints=("shpat_", "sq0csp-", "sq0atp-", "dop_v1_", "hf_", "hvs.", "dckr_pat_", "akcp", "nrak-", "lin_api_", "age-secret-key-"),
        replace=_key(r"(?:(?:shp(?:at|ca|pa|ss)|dckr_pat|hf|lin_api|dop_v1)_[\w-]{16,}|sq0(?:csp|atp)-[\w-]{16,}|hvs\.[\w-]{16,}|AKCp[A-Za-z0-9]{10,}|NRAK-[A-Z0-9]{16,}|AGE-SECRET-KEY-[A-Z0-9]{16,})"),
        example="dckr_pat_abcdefghij0123456789",
        secret="abcdefghij",
        stays="hf_hub dop_v1_x",
    ),
    Shape(
        name="user and password in a URL",
        hints=("://", "%3a%2f%2f"),
        replace=_sub(r"(?i)(://|%3a%2f%2f)(?!<secret>)(?=[^\s@'\"<>]{2,510}(?:@|%40))[^/\s@'\"<>]{0,200}(?::|%3a)[^\s@'\"<>]{1,300}(?:@|%40)(?=[\w\[<])|(?<=://)[\w.~%+-]{6,200}@(?=[\w\[<])", r"\1<secret>@"),
        example="postgres://me:hunter2@db/x",
        secret="hunter2",
        stays="http://localhost:5000/a and an @ later",
    ),
    Shape(
        name="header that authorizes",
        hints=("authorization", "cookie", "x-api-key", "x-auth-token", "x-amz-security-token"),
        replace=_sub(r"(?i)((?:authorization|set-cookie|cookie|x-api-key|x-auth-token|x-amz-security-token)(?>(?:\\*['\"])?(?:\s{0,9}(?:[:=]|%3A|,)\s{0,9}|%20){1,3}(?:b?\\*['\"])?))(?!<)[^\r\n'\"\\]+", r"\1<secret>"),
        example="Authorization: AWS4-HMAC-SHA256 Credential=abc, Signature=fe5f80f7",
        secret="fe5f80f7",
        stays="authorization failed",
    ),
    Shape(
        name="scheme and credentials without their header",
        hints=("bearer ", "basic "),
        replace=_sub(r"\b((?i:bearer) |Basic )(?=[\w+/.~-]*[\d=])[\w+/.~-]{8,}=*", r"\1<secret>"),
        example="sent Bearer abcdef0123456789",
        secret="abcdef0123456789",
        stays="Basic experiment",
    ),
    Shape(
        name="signed URL",
        hints=("x-amz-", "signature", "awsaccesskeyid", "expires", "key-pair-id", "policy"),
        replace=_sub(r"(?i)((?:[?&]|\\u0026|%3f|%26|&amp;)(?:X-Amz-[\w-]{1,60}|Signature|AWSAccessKeyId|Expires|Key-Pair-Id|Policy)(?:=|%3d))(?:(?!\\u0026|%26)[^&\s'\"<>])+", r"\1<secret>"),
        example="https://sqs.eu-west-1.amazonaws.com/q?X-Amz-Signature=abcdef&x=1",
        secret="abcdef",
        stays="Policy=abcdef",
    ),
    Shape(
        name="password given to a command",
        hints=("--", "-u", "-p"),
        replace=_sub(rf"(?i)(--?[\w-]{{0,40}}{SECRET_WORD}[\w-]{{0,40}}['\"]?(?:,?\s+|=)['\"]?)(?![<-])[^\s'\"]+", r"\1<secret>"),
        example="mysql --password hunter2 -h x",
        secret="hunter2",
        stays="--users 200 --profile x",
    ),
    Shape(
        name="user and password given to curl",
        hints=("-u", "--user"),
        replace=_sub(r"((?<!\S)(?:-u|--user|--proxy-user)[ =]?['\"]?)[^\s:'\"<]{1,100}:[^\s'\"]+", r"\1<secret>"),
        example="curl -u me:hunter2 http://localhost",
        secret="hunter2",
        stays="curl -u me http://localhost",
    ),
    Shape(
        name="level of an environment variable that is a secret",
        hints=("env.",),
        replace=_sub(rf"(?i)(\benv\.[\w.-]{{0,60}}{SECRET_WORD}[\w.-]{{0,60}}=)(?!<)(?:'[^']*'|\"[^\"]*\"|[^\s'\"]+)", r"\1<secret>"),
        example="repro run --set env.API_TOKEN=hunter1,hunter2 --seed 1",
        secret="hunter2",
        stays="repro run --set env.LOCUST_SKIP_URLLIB3_PATCH=1",
    ),
    Shape(
        name="value beside a secret's name",
        hints=("secret", "token", "pass", "pwd", "_pw", "credential", "key", "auth", "signature", "cookie", "session", "connection", "webhook", "database_url", "dsn"),
        replace=replacer(re.compile(rf"(?i){SECRET_WORD}[\w.-]{{0,64}}{_BARE_SEPARATOR}"), "<secret>", is_bare_too=True),
        example=r'{\"SecretAccessKey\": \"short secret\"}',
        secret="short",
        stays="the token has expired",
    ),
    Shape(
        name="body of a message in a form",
        hints=("=", "%3d"),
        replace=_sub(rf"((?<=[?&]){_FORM_KEY}(?:=|%3[dD]))(?!<)[^&\s'\"]+|((?:^|(?<=[\s'\"])){_FORM_KEY}=)(?!<)[^&\s'\"]+(?=&)", r"\1\2<body>"),
        example="Action=SendMessage&MessageAttribute.1.Value.StringValue=card+4111&Version=1",
        secret="4111",
        stays="Action=SendMessage&Version=1",
    ),
    Shape(
        name="body, attribute, item or payload",
        replace=replacer(re.compile(rf"(?<![A-Za-z0-9_]){BODY_KEYS}{_SEPARATOR}"), "<body>", is_bare_too=False),
        example="put_item(Item={'card': {'S': 'card } 4111'}}, TableName='t')",
        secret="4111",
        stays="Item of a table",
    ),
    Shape(
        name="typed value of a table's item",
        hints=("{'s':", '{"s":', "{'n':", '{"n":', "{'b':", '{"b":', r"{\"s\":", r"{\"n\":", "'ss':", '"ss":'),
        replace=replacer(re.compile(r"\{\\*['\"](?:S|N|B|SS|NS|BS|M|L)\\*['\"]:\s?"), "<body>", is_bare_too=False),
        example="{'card': {'S': 'card 4111'}}",
        secret="4111",
        stays="{'Stack': 'clean'}",
    ),
    Shape(
        name="body that somebody prints without quotes",
        hints=("body",),
        replace=_sub(r"(\b(?:Message)?Body\\?['\"]?\s*[:=]\s*|(?i:\bmessage body)\s*[:=]?\s+)(?![\\'\"]*<body>)[^\r\n]+", r"\1<body>"),
        example="MessageBody=card 4111 and pin 7788",
        secret="7788",
        stays="somebody: card",
    ),
    Shape(
        name="body in XML",
        hints=("<body>", "<message>", "value>", "<data>", "<subject>", "<payload>", "<secret", "<sessiontoken>", "<password>"),
        replace=_sub(r"(?s)(<(Body|MessageBody|Message|StringValue|BinaryValue|Data|Subject|Payload|SecretAccessKey|SessionToken|Password)>)(?!<body>).*?(</\2>|\Z)", r"\1<body>\3"),
        example="<Received><Body>card\n4111</Body></Received>",
        secret="4111",
        stays="<MD5OfBody>x</MD5OfBody>",
    ),
    Shape(
        name="environment variable",
        hints=("=",),
        replace=_sub(rf"(?<![\w.<-])((?!{KEPT_VARIABLES})[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*=)({_QUOTED}|[^\s'\",;)}}\]<]+)", r"\1<value>"),
        example="MY_SETTING=anything",
        secret="anything",
        stays="REPRO_QUEUE=q PYTHONUNBUFFERED=1",
    ),
    Shape(
        name="environment variables in a mapping",
        hints=("':", '":'),
        replace=_sub(rf"(['\"])((?!{KEPT_VARIABLES})[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)\1(: ?)(?:{_QUOTED})", r"\1\2\1\3<value>"),
        example="environ({'SHELL': '/bin/zsh'})",
        secret="zsh",
        stays="{'PYTHONHASHSEED': '0'}",
    ),
    Shape(
        name="host of a URL",
        hints=("://", "%3a%2f%2f"),
        replace=_sub(rf"(?i)(\b[a-z][a-z0-9+.-]{{0,20}}(?:://|%3a%2f%2f)(?:<secret>@)?)(?!{KEPT_HOSTS}(?![\w.-]))(?!<)[\w.\[\]:-]+", r"\1<host>"),
        example="https://packages.company.net/simple/x",
        secret="company",
        stays="https://github.com/gevent/gevent/issues/1957 and http://127.0.0.1:5000/000/q",
    ),
    Shape(
        name="address of mail, or a user at a host",
        hints=("@", "%40"),
        replace=_sub(r"(?<![\w.+-])(?:[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}|[\w.+-]{1,64}@(?=[\w-]{1,63}[:\s])[\w-]{1,63})", "<user>@<host>"),
        example="alice@mail.company.net",
        secret="alice",
        stays="@everyone and x @ y",
    ),
    Shape(
        name="host of a private network",
        hints=("ip-", ".internal", ".local", ".lan", ".corp", ".intra", ".home", ".svc"),
        replace=_sub(r"\bip-\d+-\d+-\d+-\d+\b(?:\.[\w.-]+)?|(?<![\w-])[\w-]{1,63}(?:\.[\w-]{1,63}){0,6}\.(?:internal|local|lan|corp|intra|intranet|svc)\b(?!\(|\.py)", "<host>"),
        example="db-1.prod.corp:5432 refused",
        secret="db-1",
        stays="threading.localized ip-address",
    ),
    Shape(
        name="host with a domain",
        hints=(".com", ".net", ".org", ".edu", ".gov", ".biz", ".cloud", ".dev", ".co.", ".de", ".eu", ".uk", ".fr", ".ch"),
        replace=_sub(rf"(?i)(?<![\w.@/-])(?!{KEPT_HOSTS}(?![\w.-]))[a-z0-9][\w-]{{0,62}}(?:\.[\w-]{{1,63}}){{0,6}}\.(?:com|net|org|edu|gov|biz|cloud|dev|co\.\w\w|de|eu|uk|fr|ch)(?![\w(-]|\.\w)", "<host>"),
        example="could not resolve db1.company.net: timeout",
        secret="company",
        stays="sqs.eu-west-1.amazonaws.com and botocore.client.py",
    ),
    Shape(
        name="address of version 4",
        hints=(".",),
        replace=_sub(rf"(?i)(?:(?P<version>[=<>!~]=\s?v?|\b{_PACKAGE}[ =]v?(?:[\d.]{{3,20}}(?:, | and | or |–))*)|(?<![\w.]))(?P<address>\d{{1,3}}(?:\.\d{{1,3}}){{3}})(?!\w|\.\d)", _address),
        example="connect to 52.94.236.248:443",
        secret="52.94",
        stays="127.0.0.1:45643, locust 24.10.2.1, gevent==1.2.3.4",
    ),
    Shape(
        name="address of version 6",
        hints=(":",),
        replace=_sub(r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)(?P<address>[0-9A-Fa-f:]{3,39})(?:%\w{1,16})?(?![\w:])", _address),
        example="connect to fe80::1ff:fe23:4567:890a%eth0",
        secret="fe23",
        stays="at 12:34:56, ::1, tests/x.py::test",
    ),
    Shape(
        name="address of a network card",
        hints=(":", "-"),
        replace=_sub(r"(?i)(?<![\w:-])[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![\w:-])", "<host>"),
        example="link/ether 02:42:ac:11:00:0f",
        secret="ac:11:00:0f",
        stays="2026-01-01 12:34:56",
    ),
    Shape(
        name="account of AWS",
        replace=_sub(r"\d{12}(?<![A-Za-z0-9.]\d{12})(?<![0-9a-f]{4}-[0-9a-f]{4}-\d{12})(?![A-Za-z0-9]|\.\d)|(?<![\w-])\d{4}-\d{4}-\d{4}(?![\w-])", "<account>"),
        example="arn:aws:sqs:eu-west-1:987654321098:q",
        secret="987654321098",
        stays="cell 9876543210ab, 1.2.123456789012",
    ),
    Shape(
        name="build of a kernel",
        hints=("linux-",),
        replace=_sub(r"(Linux-\d+(?:\.\d+){1,2}+)[\w.+-]{1,80}?(-(?:x86_64|aarch64|arm64|i686))", r"\1\2"),
        example="Linux-6.1.44-built-by-company-x86_64-with-glibc2.36",
        secret="company",
        stays="Linux-6.1.44-x86_64-with-glibc2.36",
    ),
    Shape(
        name="home",
        hints=("/home/", "/users/", "\\users\\", "%2fhome%2f"),
        replace=_sub(r"((?:/(?:home|Users)/|%2[fF]home%2[fF]|[A-Za-z]:\\{1,2}Users\\{1,2}))(?!<)[^/\\\s:'\"%]+", r"\1<user>"),
        example="/home/alice/venv/x.py",
        secret="alice",
        stays="/home and /Users",
    ),
    Shape(
        name="secret key without its name",
        replace=_sub(r"(?<![A-Za-z0-9+/%])(?=[A-Za-z0-9+/%]*[A-Z])(?=[A-Za-z0-9+/%]*[a-z])(?=[A-Za-z0-9+/%]*\d)(?:[A-Za-z0-9+/]|%2[FfBb]){40,}(?:=|%3[Dd]){0,2}(?![A-Za-z0-9+/])", "<secret>"),
        example="given wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        secret="wJalr",
        stays="fe5f80f77d5fa3beca038a248ff027d0445342fe 123e4567-e89b-12d3-a456-426614174000",
    ),
)  # fmt: skip
