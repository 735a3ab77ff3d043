"""Each task is a span; a collector that is silent makes the exporter wait, by gRPC for all users of the process.

The collector is a socket in a process of its own that accepts and never answers.
"""

import os
import subprocess
import sys

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
EXPORTER = os.environ.get("REPRO_EXPORTER", "grpc")
GIVES_UP_AFTER_S = 10
COLLECTOR = """
import socket
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
kept = []
while True:
    kept.append(listening.accept())
"""

collector = subprocess.Popen([sys.executable, "-c", COLLECTOR], stdout=subprocess.PIPE)
PORT = int(collector.stdout.readline())
if EXPORTER == "http":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{PORT}/v1/traces", timeout=GIVES_UP_AFTER_S)
else:
    if EXPORTER == "grpc-with-gevent":
        from grpc.experimental import gevent as grpc_gevent

        grpc_gevent.init_gevent()
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=f"http://127.0.0.1:{PORT}", insecure=True, timeout=GIVES_UP_AFTER_S)
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
trace.set_tracer_provider(provider)
TRACER = trace.get_tracer("load")


class Sender(User):
    wait_time = constant(0.1)

    def on_start(self):
        self.sqs = boto3.client("sqs")
        self.url = self.sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]

    @task
    def send(self):
        with TRACER.start_as_current_span("send"):
            self.sqs.send_message(QueueUrl=self.url, MessageBody="x")
