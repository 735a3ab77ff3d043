"""The reproducer's file: it is Python whatever goes into it, its SQS speaks both protocols, it sees what is stuck."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from itertools import product

import boto3
import pytest
from botocore.config import Config

from repro.core.scrubbing.redaction import redactor
from repro.core.scrubbing.source import redact_source
from repro.core.search.shrinking import Recipe
from repro.presentation.reports.reproducer import reproducer


def recipe(**given) -> Recipe:
    return Recipe(**{"title": "it hangs", "python": "3.11", "pins": {"gevent": "24.2.1"}, **given})


@pytest.mark.parametrize(
    ("launch", "client", "order"),
    [
        *product(
            ("cli", "library", "process", "spawn"),
            ("shared", "per-user", "per-iteration"),
            ("locust-first", "boto3-first"),
        )
    ],
)
def test_it_is_python_for_every_setting(launch: str, client: str, order: str) -> None:
    settings = {"launch": launch, "client": client, "import_order": order, "read_timeout": 3, "max_attempts": 2}
    text = reproducer(recipe(settings=settings, variables={"A": "'"}))
    ast.parse(text)
    assert ("def run_load" in text) == (launch != "cli")


@pytest.mark.parametrize("title", ['a """ b', "\\", "C:\\new\\users", "line\nline", '"', "</script>"])
def test_no_title_breaks_out_of_its_docstring(title: str) -> None:
    made = ast.parse(reproducer(recipe(title=title)))
    assert isinstance(made.body[0], ast.Expr)
    assert isinstance(made.body[1], ast.Import)


@pytest.mark.parametrize("module", ["x = '''a'''", 'x = "\\n"', "x = 'y'", "# ends with \\", "x = {{ 7 }}"])
def test_modules_of_its_own_arrive_as_they_were(module: str) -> None:
    text = reproducer(recipe(source="import mine\n", modules={"mine": module}))
    (assigned,) = [
        node.value.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Assign) and "MODULES['mine']" in ast.unparse(node.targets[0])
    ]
    assert assigned.strip("\n") == module


def test_a_locustfile_may_look_into_the_future_and_call_things_as_it_likes() -> None:
    source = '"""Mine."""\nfrom __future__ import annotations\nfrom time import time\nUSERS = None\n'
    text = reproducer(recipe(source=source, stall=3))
    compile(text, "reproduce.py", "exec")
    assert (
        text.index("from time import time")
        < text.rindex("import time\n")
        < text.rindex("USERS, SECONDS, GRACE, STALL =")
    )


@pytest.fixture
def served():
    """The SQS of a reproducer, run as the file runs it."""
    (server,) = re.findall(r"(?s)\nSQS = '''(.*?)'''", reproducer(recipe()))
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", server], stdout=subprocess.PIPE, text=True)
    yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    process.kill()
    process.wait()
    process.stdout.close()


def test_its_sqs_gives_back_what_was_sent(served: str) -> None:
    client = boto3.client(
        "sqs",
        endpoint_url=served,
        region_name="us-east-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"total_max_attempts": 1}),
    )
    url = client.create_queue(QueueName="q")["QueueUrl"]
    for body in ("a", "b & <c>"):
        client.send_message(QueueUrl=url, MessageBody=body)
    found = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert [message["Body"] for message in found] == ["a", "b & <c>"]
    client.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])


def test_its_sqs_speaks_the_older_protocol_too(served: str) -> None:
    from urllib.parse import urlencode
    from urllib.request import urlopen
    from xml.etree import ElementTree as ET

    def call(**given: str) -> ET.Element:
        with urlopen(served, data=urlencode(given).encode()) as answer:  # noqa: S310  # our own, on loopback
            return ET.fromstring(answer.read())  # noqa: S314  # likewise

    call(Action="SendMessage", MessageBody="a & <b>")
    assert call(Action="ReceiveMessage", MaxNumberOfMessages="1").findtext(".//Body") == "a & <b>"


SECRETS = (
    "AKIAIOSFODNN7EXAMPLE",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "987654321098",
    "hunter2hunter2",
    "card 4111-1111",
    "somebody-real",
)
SOURCE = '''
"""Mine, by somebody-real."""
import boto3  # asks 987654321098
client = boto3.client("sqs", aws_access_key_id="AKIAIOSFODNN7EXAMPLE", aws_secret_access_key='wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY')
URL = f"https://sqs.eu-west-1.amazonaws.com/987654321098/{client}"
password = "hunter2hunter2"
SETTINGS = {"API_TOKEN": "hunter2hunter2", "users": 3}
token = client.meta.token
def send(): client.send_message(QueueUrl=URL, MessageBody="card 4111-1111")
'''


def test_a_locustfile_is_redacted_and_stays_what_it_does() -> None:
    made = redact_source(SOURCE, redactor(users=("somebody-real",)))
    assert [secret for secret in SECRETS if secret in made] == []
    before, after = ast.parse(SOURCE), ast.parse(made)
    assert [type(node) for node in ast.walk(before)] == [type(node) for node in ast.walk(after)]
    assert "token = client.meta.token" in made
    assert '"users": 3' in made


def test_what_is_no_python_is_not_redacted_by_halves() -> None:
    with pytest.raises(ValueError, match="not Python"):
        redact_source("x = '", redactor())


def test_a_dummy_beside_a_secrets_name_stays() -> None:
    source = 'password = "x"\ntoken = "testing"\n'
    assert redact_source(source, redactor()) == source


BODIES = [
    "q.send_message(MessageBody='card 4111')",
    (
        "q.send_message(MessageBody='card 4111', "
        "MessageAttributes={'a': {'DataType': 'String', 'StringValue': 'card 4111'}})"
    ),
    "q.send_message(MessageAttributes={'a': {'DataType': 'Binary', 'BinaryValue': b'card 4111'}})",
    "q.send_message(MessageAttributes={'a': {'StringListValues': ['card 4111']}})",
    "entries = [{'Id': '1', 'MessageBody': json.dumps({'pin': 4111, 'text': 'card 4111'})}]",
    "sns.publish(TopicArn=t, Message='card 4111', Subject='card 4111')",
    "table.put_item(Item={'pk': 'card 4111', 'n': 4111, 'deep': [{'x': 'card 4111'}]})",
    "db.put_item(TableName='t', Item={'a': {'S': 'card 4111'}, 'b': {'N': '4111'}})",
    "s3.put_object(Bucket=b, Key='card 4111', Body=b'card 4111', Metadata={'owner': 'card 4111'})",
    "kinesis.put_record(Data='card 4111'.encode('utf-8'))",
    "events.put_events(Entries=[{'Detail': '{\"card\": \"4111\"}', 'DetailType': 'paid'}])",
    "aws_lambda.invoke(Payload=b'card 4111')",
    "states.start_execution(input='card 4111')",
    "ses.send_email(Message={'Subject': {'Data': 'card 4111'}, 'Body': {'Text': {'Data': 'card 4111'}}})",
    "self.client.post('/pay', json={'card': '4111'}, data='card 4111')",
    "body = 'card ' + '4111'",
    "x['MessageBody'] = f'card 4111 of {user}'",
    "def send(body='card 4111'): pass",
    "key = 'AKIA' + 'IOSFODNN74111'",
    "key = ('AKIA'\n       'IOSFODNN74111')",
    r"key = '\x41KIAIOSFODNN74111'",
    "os.environ.setdefault('API_TOKEN', 'hunter-4111-hunter')",
    "headers = [('Authorization', 'Bearer hunter-4111')]",
    "db = connect(auth=('me', 'hunter-4111'))",
    "if password == 'hunter-4111': pass",
    "key = '''-----BEGIN PRIVATE KEY-----\n4111\n-----END PRIVATE KEY-----'''",
]


@pytest.mark.parametrize("source", BODIES)
def test_what_is_sent_and_what_is_secret_leaves_the_source(source: str) -> None:
    made = redact_source(source, redactor())
    assert "4111" not in made
    assert redact_source(made, redactor()) == made


@pytest.mark.parametrize(
    "body",
    [
        "'card 4111: %d, %5.2f %s' % (n, 2.5, 'x')",
        "b'card 4111 %a' % n",
        "'card 4111 %(n)s' % {'n': n}",
        "('card 4111 %d' ' of 4111 %s' % (n, 'x'))",
        "str(n % 7)",
        "json.dumps({'card': '4111 %d' % n, 'rest': n // 7})",
    ],
)
def test_a_body_that_is_put_together_still_is(body: str) -> None:
    made = redact_source(f"def send(MessageBody): return MessageBody\nsend(MessageBody={body})\n", redactor())
    assert "4111" not in made
    assert redact_source(made, redactor()) == made
    exec(compile(made, "made", "exec"), {"n": 3, "json": json})  # noqa: S102  # what fails here fails in the file


@pytest.mark.parametrize(
    "source",
    [
        "q.send_message(MessageBody=os.environ['CARD'], MessageAttributes={'a': {'DataType': 'String'}})",
        "q.send_message(MessageBody=os.environ.get('CARD'))",
        "json.dumps({'a': 1}, sort_keys=True)",
        "signature = subprocess.run(['cksum', '/dev/null'], capture_output=True).stdout",
        "item = {'pk': 'a'}\nmessage = 'ready'\n",
    ],
)
def test_what_chooses_and_what_is_ordinary_stays_in_the_source(source: str) -> None:
    assert redact_source(source, redactor()) == source


def test_the_arguments_of_a_command_reach_locust() -> None:
    text = reproducer(recipe(arguments=("--tags", "it's", "--queue-name", "reproduce")))
    made = next(
        node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == "load_command"
    )
    assert "['--tags', \"it's\", '--queue-name', 'reproduce']" in ast.unparse(made)


@pytest.mark.parametrize("level", ["gc", "stop+dns+threads", "gc+stop+dns+threads"])
def test_an_amplified_file_has_knob_and_seed_in_the_open_and_a_switch(level: str) -> None:
    text = reproducer(recipe(settings={"amplify": level}, seed=7))
    names = {node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)}
    classes = {"gc": "Collections", "stop": "Stops", "dns": "Lookups", "threads": "Switches"}
    assert names & {*classes.values(), "Draws"} == {"Draws", *(classes[knob] for knob in level.split("+"))}
    assert f'os.environ.get("AMPLIFY", "{level}")' in text
    assert 'os.environ.get("SEED", "7")' in text


def test_a_natural_file_has_nothing_of_it() -> None:
    assert "AMPLIFY" not in reproducer(recipe(seed=7))
