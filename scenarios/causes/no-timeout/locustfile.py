"""Users ask by Locust's own client, which has no timeout unless it is given one, and one answer never comes.

The server is a process of its own that answers the first requests and then says nothing.
"""

import os
import subprocess
import sys

from locust import HttpUser, constant, task

TIMEOUT_S = float(os.environ.get("REPRO_TIMEOUT") or 0) or None
SERVER = """
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        if Handler.asked > 30:
            time.sleep(600)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
PORT = int(server.stdout.readline())


class Asker(HttpUser):
    host = f"http://127.0.0.1:{PORT}"
    wait_time = constant(0.2)

    @task
    def ask(self):
        self.client.get("/", timeout=TIMEOUT_S)
