"""S3 through boto3 in a class that is an HttpUser only by habit; address and keys come from variables of the test's own."""

import os
import random
import time
import uuid

import boto3
from botocore.config import Config
from locust import HttpUser, between, events, task

ENDPOINT = os.environ.get("STORE_ENDPOINT", "http://localhost:9000")
BUCKET = "load"
SIZES = ((1024, 6), (64 * 1024, 3), (1024 * 1024, 1))


def measured(name, call, **arguments):
    began, answer, error = time.perf_counter(), None, None
    try:
        answer = call(**arguments)
    except Exception as caught:  # noqa: BLE001
        error = caught
    events.request.fire(
        request_type="S3",
        name=name,
        response_time=(time.perf_counter() - began) * 1000,
        response_length=0,
        exception=error,
        context={},
    )
    return answer


class StoreUser(HttpUser):
    wait_time = between(0.01, 0.1)

    def on_start(self):
        self.s3 = boto3.client(
            "s3",
            endpoint_url=ENDPOINT,
            aws_access_key_id=os.environ.get("STORE_KEY", "local"),
            aws_secret_access_key=os.environ.get("STORE_SECRET", "local-secret"),
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1, "mode": "standard"}),
        )
        try:
            self.s3.create_bucket(Bucket=BUCKET)
        except Exception:  # noqa: BLE001  # somebody else has made it
            pass
        self.keys = []

    @task(3)
    def put(self):
        size = random.choices([size for size, _ in SIZES], [weight for _, weight in SIZES])[0]
        key = uuid.uuid4().hex
        if measured("PUT", self.s3.put_object, Bucket=BUCKET, Key=key, Body=os.urandom(size)) is not None:
            self.keys = [*self.keys[-200:], key]

    @task(6)
    def get(self):
        if self.keys:
            answer = measured("GET", self.s3.get_object, Bucket=BUCKET, Key=random.choice(self.keys))
            if answer is not None:
                answer["Body"].read()
