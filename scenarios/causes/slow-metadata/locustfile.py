"""Users whose credentials come from an instance's metadata server and expire within ten minutes: each call asks anew.

The metadata server is a process of its own on the loopback interface.
"""

import os
import subprocess
import sys

from locust import User, constant, task  # isort: skip  # before boto3: it patches the standard library
import boto3

QUEUE = os.environ.get("REPRO_QUEUE", "orders")
KIND = os.environ.get("REPRO_METADATA", "slow")
SERVER = """
import datetime, http.server, json, sys, time
DELAY_S = {"quick": 0, "slow": 1.5, "silent": 600}[sys.argv[1]]
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, text):
        time.sleep(DELAY_S)
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def do_PUT(self):
        self.answer("token")
    def do_GET(self):
        if self.path.endswith("security-credentials/"):
            return self.answer("load")
        ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=9)
        self.answer(json.dumps({"AccessKeyId": "test", "SecretAccessKey": "test", "Token": "t", "Code": "Success",
            "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}))
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

if KIND != "none":
    server = subprocess.Popen([sys.executable, "-I", "-c", SERVER, KIND], stdout=subprocess.PIPE)
    os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] = f"http://127.0.0.1:{int(server.stdout.readline())}/"
    os.environ["AWS_METADATA_SERVICE_TIMEOUT"] = os.environ.get("REPRO_PATIENCE") or "1"
    os.environ["AWS_EC2_METADATA_DISABLED"] = "false"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        os.environ.pop(name, None)


class Sender(User):
    wait_time = constant(0.2)
    sqs = url = None

    @task
    def send(self):
        if self.sqs is None:
            sqs = boto3.client("sqs")
            self.url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
            self.sqs = sqs
        self.sqs.send_message(QueueUrl=self.url, MessageBody="x")
