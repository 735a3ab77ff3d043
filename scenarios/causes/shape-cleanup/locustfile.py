"""A load shape of two stages; its users call a server by a class of the program's own, with a new session each time.

The server is a process of its own on the loopback interface.
"""

import subprocess
import sys

from locust import LoadTestShape, User, task  # isort: skip  # before requests: it patches the standard library
import requests

SERVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""

server = subprocess.Popen([sys.executable, "-I", "-c", SERVER], stdout=subprocess.PIPE)
URL = f"http://127.0.0.1:{int(server.stdout.readline())}/"


class Rest:
    def get(self):
        return requests.get(URL, timeout=30)


class Asker(User):
    @task
    def ask(self):
        for _ in range(3):
            Rest().get()


class Stages(LoadTestShape):
    def tick(self):
        seconds = self.get_run_time()
        if seconds < 6:
            return 20, 20
        return (50, 50) if seconds < 15 else None
