"""A table of shapes of what must not leave the machine, each with an example and a look-alike that stays."""

from __future__ import annotations

import re
from ipaddress import ip_address

from repro.core.scrubbing.keys import KEYS
from repro.core.scrubbing.markers import Marker
from repro.core.scrubbing.names import BODY_KEYS, KEPT_HOSTS, KEPT_VARIABLES, SECRET_WORD
from repro.core.scrubbing.shape import Shape, sub
from repro.core.scrubbing.values import replacer

_PACKAGE = r"(?:locust|gevent|greenlet|urllib3|boto3|botocore|requests|moto|uv|pip|python|version|release)"
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|\\\"(?:[^\"\\\n]|\\[^\"])*\\\""
_LITERAL = re.compile(_QUOTED)
_FORM_KEY = (
    r"(?:[\w.]{0,80}\.)?(?:(?:Message)?Body|StringValue|BinaryValue|Message|Subject|Data|Payload"
    r"|Detail|Value)"
)
_SEPARATOR = r"\\*['\"]?\s{0,20}(?:[:=]|%3[AaDd])\s{0,20}"
_BARE_SEPARATOR = r"(?:\\*['\"]?[ \t]{0,20}(?:[:=]|%3[AaDd])\s{0,20}|\\*['\"],\s{0,20}(?=\\*['\"]))"


def _without_literals(found: re.Match[str]) -> str:
    """A line of somebody's own file without its string literals: a body may be one, and nothing else tells it."""
    return _LITERAL.sub(f"'{Marker.TEXT}'", found[0])


def _address(found: re.Match[str]) -> str:
    """An address as ``<host>``; a version, and what is the same on every machine, as it is."""
    try:
        address = ip_address(found["address"])
    except ValueError:
        return found[0]
    is_everywhere = address.is_loopback or address.is_unspecified
    return found[0] if is_everywhere or found.groupdict().get("version") else Marker.HOST


_QUOTED_CODE: tuple[Shape, ...] = (
    Shape(
        name="literals in a line of a stack of somebody's own file",
        hints=(".py:",),
        replace=sub(r"(?m)(?:^|(?<=\s))[\w-]{1,100}\.py:\d+ \S+  .+$", _without_literals),
        example="locustfile.py:22 Buyer.work  self.send('card 4111', queue)",
        secret="card 4111",
        stays="http/client.py:986 HTTPConnection.send  self.putheader('Host')",
    ),
    Shape(
        name="literals in code that a sentence quotes",
        hints=("`",),
        replace=sub(r"`[^`\n]*['\"][^`\n]*`", _without_literals),
        example='the main thread stands in mine.py:work, line 22, `self.send("card 4111")`',
        secret="card 4111",
        stays="the main thread stands in queue.py:get, line 22, `self.not_empty.wait()`",
    ),
    Shape(
        name="private key",
        hints=("-----begin", "----begin"),
        replace=sub(r"(?s)-{4,5} ?BEGIN [^-\n]{1,60}-{4,5}.*?(?:-{4,5} ?END [^-\n]{1,60}-{4,5}|\Z)", Marker.SECRET),
        example="-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----",
        secret="MIIEow",
        stays="----- BEGIN with gevent -----",
    ),
)

_TEXTS: tuple[Shape, ...] = (
    Shape(
        name="user and password in a URL",
        hints=("://", "%3a%2f%2f"),
        replace=sub(
            r"(?i)(://|%3a%2f%2f)(?!<secret>)(?=[^\s@'\"<>]{2,510}(?:@|%40))"
            r"[^/\s@'\"<>]{0,200}(?::|%3a)[^\s@'\"<>]{1,300}(?:@|%40)(?=[\w\[<])"
            r"|(?<=://)[\w.~%+-]{6,200}@(?=[\w\[<])",
            rf"\1{Marker.SECRET}@",
        ),
        example="postgres://me:hunter2@db/x",
        secret="hunter2",
        stays="http://localhost:5000/a and an @ later",
    ),
    Shape(
        name="header that authorizes",
        hints=("authorization", "cookie", "x-api-key", "x-auth-token", "x-amz-security-token"),
        replace=sub(
            r"(?i)((?:authorization|set-cookie|cookie|x-api-key|x-auth-token|x-amz-security-token)(?>"
            r"(?:\\*['\"])?(?:\s{0,9}(?:[:=]|%3A|,)\s{0,9}|%20){1,3}(?:b?\\*['\"])?))(?!<)[^\r\n'\"\\]+",
            rf"\1{Marker.SECRET}",
        ),
        example="Authorization: AWS4-HMAC-SHA256 Credential=abc, Signature=fe5f80f7",
        secret="fe5f80f7",
        stays="authorization failed",
    ),
    Shape(
        name="scheme and credentials without their header",
        hints=("bearer ", "basic "),
        replace=sub(r"\b((?i:bearer) |Basic )(?=[\w+/.~-]*[\d=])[\w+/.~-]{8,}=*", rf"\1{Marker.SECRET}"),
        example="sent Bearer abcdef0123456789",
        secret="abcdef0123456789",
        stays="Basic experiment",
    ),
    Shape(
        name="signed URL",
        hints=("x-amz-", "signature", "awsaccesskeyid", "expires", "key-pair-id", "policy"),
        replace=sub(
            r"(?i)((?:[?&]|\\u0026|%3f|%26|&amp;)(?:X-Amz-[\w-]{1,60}|Signature|AWSAccessKeyId|Expires"
            r"|Key-Pair-Id|Policy)(?:=|%3d))(?:(?!\\u0026|%26)[^&\s'\"<>])+",
            rf"\1{Marker.SECRET}",
        ),
        example="https://sqs.eu-west-1.amazonaws.com/q?X-Amz-Signature=abcdef&x=1",
        secret="abcdef",
        stays="Policy=abcdef",
    ),
    Shape(
        name="password given to a command",
        hints=("--", "-u", "-p"),
        replace=sub(
            rf"(?i)(--?[\w-]{{0,40}}{SECRET_WORD}[\w-]{{0,40}}['\"]?(?:,?\s+|=)['\"]?)(?![<-])[^\s'\"]+",
            rf"\1{Marker.SECRET}",
        ),
        example="mysql --password hunter2 -h x",
        secret="hunter2",
        stays="--users 200 --profile x",
    ),
    Shape(
        name="user and password given to curl",
        hints=("-u", "--user"),
        replace=sub(
            r"((?<!\S)(?:-u|--user|--proxy-user)[ =]?['\"]?)[^\s:'\"<]{1,100}:[^\s'\"]+", rf"\1{Marker.SECRET}"
        ),
        example="curl -u me:hunter2 http://localhost",
        secret="hunter2",
        stays="curl -u me http://localhost",
    ),
    Shape(
        name="level of an environment variable that is a secret",
        hints=("env.",),
        replace=sub(
            rf"(?i)(\benv\.[\w.-]{{0,60}}{SECRET_WORD}[\w.-]{{0,60}}=)(?!<)(?:'[^']*'|\"[^\"]*\"|[^\s'\"]+)",
            rf"\1{Marker.SECRET}",
        ),
        example="repro run --set env.API_TOKEN=hunter1,hunter2 --seed 1",
        secret="hunter2",
        stays="repro run --set env.LOCUST_SKIP_URLLIB3_PATCH=1",
    ),
    Shape(
        name="value beside a secret's name",
        hints=(
            "secret",
            "token",
            "pass",
            "pwd",
            "_pw",
            "credential",
            "key",
            "auth",
            "signature",
            "cookie",
            "session",
            "connection",
            "webhook",
            "database_url",
            "dsn",
        ),
        replace=replacer(
            re.compile(rf"(?i){SECRET_WORD}[\w.-]{{0,64}}{_BARE_SEPARATOR}"), Marker.SECRET, is_bare_too=True
        ),
        example=r"{\"SecretAccessKey\": \"short secret\"}",
        secret="short",
        stays="the token has expired",
    ),
    Shape(
        name="body of a message in a form",
        hints=("=", "%3d"),
        replace=sub(
            rf"((?<=[?&]){_FORM_KEY}(?:=|%3[dD]))(?!<)[^&\s'\"]+|((?:^|(?<=[\s'\"])){_FORM_KEY}=)"
            r"(?!<)[^&\s'\"]+(?=&)",
            rf"\1\2{Marker.BODY}",
        ),
        example="Action=SendMessage&MessageAttribute.1.Value.StringValue=card+4111&Version=1",
        secret="4111",
        stays="Action=SendMessage&Version=1",
    ),
    Shape(
        name="body, attribute, item or payload",
        replace=replacer(re.compile(rf"(?<![A-Za-z0-9_]){BODY_KEYS}{_SEPARATOR}"), Marker.BODY, is_bare_too=False),
        example="put_item(Item={'card': {'S': 'card } 4111'}}, TableName='t')",
        secret="4111",
        stays="Item of a table",
    ),
    Shape(
        name="typed value of a table's item",
        hints=("{'s':", '{"s":', "{'n':", '{"n":', "{'b':", '{"b":', r"{\"s\":", r"{\"n\":", "'ss':", '"ss":'),
        replace=replacer(re.compile(r"\{\\*['\"](?:S|N|B|SS|NS|BS|M|L)\\*['\"]:\s?"), Marker.BODY, is_bare_too=False),
        example="{'card': {'S': 'card 4111'}}",
        secret="4111",
        stays="{'Stack': 'clean'}",
    ),
    Shape(
        name="body that somebody prints without quotes",
        hints=("body",),
        replace=sub(
            r"(\b(?:Message)?Body\\?['\"]?\s*[:=]\s*|(?i:\bmessage body)\s*[:=]?\s+)"
            r"(?![\\'\"]*<body>)[^\r\n]+",
            rf"\1{Marker.BODY}",
        ),
        example="MessageBody=card 4111 and pin 7788",
        secret="7788",
        stays="somebody: card",
    ),
    Shape(
        name="body in XML",
        hints=(
            Marker.BODY,
            "<message>",
            "value>",
            "<data>",
            "<subject>",
            "<payload>",
            "<secret",
            "<sessiontoken>",
            "<password>",
        ),
        replace=sub(
            r"(?s)(<(Body|MessageBody|Message|StringValue|BinaryValue|Data|Subject|Payload|SecretAccessKey"
            r"|SessionToken|Password)>)(?!<body>).*?(</\2>|\Z)",
            rf"\1{Marker.BODY}\3",
        ),
        example="<Received><Body>card\n4111</Body></Received>",
        secret="4111",
        stays="<MD5OfBody>x</MD5OfBody>",
    ),
    Shape(
        name="environment variable",
        hints=("=",),
        replace=sub(
            rf"(?<![\w.<-])((?!{KEPT_VARIABLES})[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*=)({_QUOTED}"
            rf"|[^\s'\",;)}}\]<]+)",
            rf"\1{Marker.VALUE}",
        ),
        example="MY_SETTING=anything",
        secret="anything",
        stays="REPRO_QUEUE=q PYTHONUNBUFFERED=1",
    ),
    Shape(
        name="environment variables in a mapping",
        hints=("':", '":'),
        replace=sub(
            rf"(['\"])((?!{KEPT_VARIABLES})[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)\1(: ?)(?:{_QUOTED})",
            rf"\1\2\1\3{Marker.VALUE}",
        ),
        example="environ({'SHELL': '/bin/zsh'})",
        secret="zsh",
        stays="{'PYTHONHASHSEED': '0'}",
    ),
    Shape(
        name="host of a URL",
        hints=("://", "%3a%2f%2f"),
        replace=sub(
            rf"(?i)(\b[a-z][a-z0-9+.-]{{0,20}}(?:://|%3a%2f%2f)(?:<secret>@)?)(?!{KEPT_HOSTS}(?![\w.-]))"
            r"(?!<)[\w.\[\]:-]+",
            rf"\1{Marker.HOST}",
        ),
        example="https://packages.company.net/simple/x",
        secret="company",
        stays="https://github.com/gevent/gevent/issues/1957 and http://127.0.0.1:5000/000/q",
    ),
    Shape(
        name="address of mail, or a user at a host",
        hints=("@", "%40"),
        replace=sub(
            r"(?<![\w.+-])(?:[\w.+-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}|[\w.+-]{1,64}@"
            r"(?=[\w-]{1,63}[:\s])[\w-]{1,63})",
            f"{Marker.USER}@{Marker.HOST}",
        ),
        example="alice@mail.company.net",
        secret="alice",
        stays="@everyone and x @ y",
    ),
    Shape(
        name="host of a private network",
        hints=("ip-", ".internal", ".local", ".lan", ".corp", ".intra", ".home", ".svc"),
        replace=sub(
            r"\bip-\d+-\d+-\d+-\d+\b(?:\.[\w.-]+)?|(?<![\w-])[\w-]{1,63}(?:\.[\w-]{1,63}){0,6}\."
            r"(?:internal|local|lan|corp|intra|intranet|svc)\b(?!\(|\.py)",
            Marker.HOST,
        ),
        example="db-1.prod.corp:5432 refused",
        secret="db-1",
        stays="threading.localized ip-address",
    ),
    Shape(
        name="host with a domain",
        hints=(
            ".com",
            ".net",
            ".org",
            ".edu",
            ".gov",
            ".biz",
            ".cloud",
            ".dev",
            ".co.",
            ".de",
            ".eu",
            ".uk",
            ".fr",
            ".ch",
        ),
        replace=sub(
            rf"(?i)(?<![\w.@/-])(?!{KEPT_HOSTS}(?![\w.-]))[a-z0-9][\w-]{{0,62}}(?:\.[\w-]{{1,63}}){{0,6}}\."
            r"(?:com|net|org|edu|gov|biz|cloud|dev|co\.\w\w|de|eu|uk|fr|ch)(?![\w(-]|\.\w)",
            Marker.HOST,
        ),
        example="could not resolve db1.company.net: timeout",
        secret="company",
        stays="sqs.eu-west-1.amazonaws.com and botocore.client.py",
    ),
    Shape(
        name="address of version 4",
        hints=(".",),
        replace=sub(
            rf"(?i)(?:(?P<version>[=<>!~]=\s?v?|\b{_PACKAGE}[ =]v?(?:[\d.]{{3,20}}(?:, | and | or |–))*)|"
            rf"(?<![\w.]))(?P<address>\d{{1,3}}(?:\.\d{{1,3}}){{3}})(?!\w|\.\d)",
            _address,
        ),
        example="connect to 52.94.236.248:443",
        secret="52.94",
        stays="127.0.0.1:45643, locust 24.10.2.1, gevent==1.2.3.4",
    ),
    Shape(
        name="address of version 6",
        hints=(":",),
        replace=sub(
            r"(?<![\w:.])(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:)(?P<address>[0-9A-Fa-f:]{3,39})"
            r"(?:%\w{1,16})?(?![\w:])",
            _address,
        ),
        example="connect to fe80::1ff:fe23:4567:890a%eth0",
        secret="fe23",
        stays="at 12:34:56, ::1, tests/x.py::test",
    ),
    Shape(
        name="address of a network card",
        hints=(":", "-"),
        replace=sub(r"(?i)(?<![\w:-])[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![\w:-])", Marker.HOST),
        example="link/ether 02:42:ac:11:00:0f",
        secret="ac:11:00:0f",
        stays="2026-01-01 12:34:56",
    ),
    Shape(
        name="account of AWS",
        replace=sub(
            r"\d{12}(?<![A-Za-z0-9.]\d{12})(?<![0-9a-f]{4}-[0-9a-f]{4}-\d{12})(?![A-Za-z0-9]|\.\d)|"
            r"(?<![\w-])\d{4}-\d{4}-\d{4}(?![\w-])",
            Marker.ACCOUNT,
        ),
        example="arn:aws:sqs:eu-west-1:987654321098:q",
        secret="987654321098",
        stays="cell 9876543210ab, 1.2.123456789012",
    ),
    Shape(
        name="build of a kernel",
        hints=("linux-",),
        replace=sub(r"(Linux-\d+(?:\.\d+){1,2}+)[\w.+-]{1,80}?(-(?:x86_64|aarch64|arm64|i686))", r"\1\2"),
        example="Linux-6.1.44-built-by-company-x86_64-with-glibc2.36",
        secret="company",
        stays="Linux-6.1.44-x86_64-with-glibc2.36",
    ),
    Shape(
        name="home",
        hints=("/home/", "/users/", "\\users\\", "%2fhome%2f"),
        replace=sub(
            r"((?:/(?:home|Users)/|%2[fF]home%2[fF]|[A-Za-z]:\\{1,2}Users\\{1,2}))(?!<)[^/\\\s:'\"%]+",
            rf"\1{Marker.USER}",
        ),
        example="/home/alice/venv/x.py",
        secret="alice",
        stays="/home and /Users",
    ),
    Shape(
        name="secret key without its name",
        replace=sub(
            r"(?<![A-Za-z0-9+/%])(?=[A-Za-z0-9+/%]*[A-Z])(?=[A-Za-z0-9+/%]*[a-z])(?=[A-Za-z0-9+/%]*\d)"
            r"(?:[A-Za-z0-9+/]|%2[FfBb]){40,}(?:=|%3[Dd]){0,2}(?![A-Za-z0-9+/])",
            Marker.SECRET,
        ),
        example="given wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        secret="wJalr",
        stays="fe5f80f77d5fa3beca038a248ff027d0445342fe 123e4567-e89b-12d3-a456-426614174000",
    ),
)

SHAPES: tuple[Shape, ...] = (*_QUOTED_CODE, *KEYS, *_TEXTS)
"""All of them, in the order in which they are looked for."""
