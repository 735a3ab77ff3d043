"""One global resource, made at test_start on workers only; options with variables of their own; a data layer class."""

import logging
import random
import time
from decimal import Decimal

from locust import User, events, task
from locust.runners import MasterRunner
import boto3  # isort: skip
from boto3.dynamodb.conditions import Key  # isort: skip

store = None


@events.init_command_line_parser.add_listener
def options(parser):
    parser.add_argument("--table-name", env_var="LOADTEST_TABLE", default="Log")
    parser.add_argument("--number-of-keys", type=int, env_var="LOADTEST_KEYS", default=1000)
    parser.add_argument("--window", type=int, env_var="LOADTEST_WINDOW", default=300)


@events.test_start.add_listener
def connect(environment, **_):
    global store
    if isinstance(environment.runner, MasterRunner):
        logging.info("the master needs no table")
        return
    store = boto3.resource("dynamodb")
    try:
        store.create_table(
            TableName=environment.parsed_options.table_name,
            KeySchema=[{"AttributeName": "Id", "KeyType": "HASH"}, {"AttributeName": "At", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "Id", "AttributeType": "S"},
                {"AttributeName": "At", "AttributeType": "N"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    except store.meta.client.exceptions.ResourceInUseException:
        pass


class Layer:
    def __init__(self, environment):
        self.options, self.event = environment.parsed_options, environment.events.request

    def run(self, name, call):
        began, error = time.perf_counter(), None
        try:
            call(store.Table(self.options.table_name), "k%06d" % random.randrange(self.options.number_of_keys))
        except Exception as caught:  # noqa: BLE001
            error = caught
        self.event.fire(
            request_type="",
            name=name,
            response_time=(time.perf_counter() - began) * 1000,
            response_length=0,
            exception=error,
            context={},
        )


class TableUser(User):
    def on_start(self):
        self.layer = Layer(self.environment)

    @task
    def batch(self):
        def write(table, key):
            with table.batch_writer() as batch:
                for _ in range(10):
                    batch.put_item(Item={"Id": key, "At": Decimal(str(time.time()))})

        self.layer.run("batch", write)

    @task
    def count(self):
        since = Decimal(str(time.time() - self.options_window))
        self.layer.run(
            "count",
            lambda table, key: table.query(
                Select="COUNT", KeyConditionExpression=Key("Id").eq(key) & Key("At").gte(since)
            ),
        )

    @property
    def options_window(self):
        return self.environment.parsed_options.window
