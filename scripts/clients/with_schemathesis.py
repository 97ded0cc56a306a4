"""Requests that a property-based fuzzer makes of the OpenAPI description, against a daemon on a Unix socket.

    with_schemathesis.py SOCKET SEED SECONDS

What must hold: every answer is one, no status of 500 or above is there but 501 and 503 (refusals), and an error is a JSON
object with a message. The same seed makes the same requests. Prints a line for each request that breaks this.
"""
import http.client
import json
import random
import socket
import sys
import time

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

SOCKET, SEED, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])

# What would change the machine itself, and what only ends with the client.
LEFT_OUT = {("POST", "/masu/limits"), ("POST", "/masu/check")}
# Names that are there, so that not every request ends at "no such container".
KNOWN = {"containers": ["web", "job"], "images": ["busybox", "busybox:latest"], "networks": ["bridge", "lan"],
         "exec": ["none"], "volumes": ["none"]}
HEAD_LIMIT = 20


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(HEAD_LIMIT)
        self.sock.connect(SOCKET)


def ask(method, target, headers=None, body=None):
    """The status and the beginning of the body; a status of None is a head that has not come in time."""
    connection = UnixConnection("masu")
    try:
        try:
            connection.request(method, target, body=body, headers=headers or {})
            answer = connection.getresponse()
        except socket.timeout:
            return None, b"", ""
        except (http.client.HTTPException, OSError) as error:
            return 0, repr(error).encode(), ""
        connection.sock.settimeout(2) if connection.sock else None
        content = b""
        if answer.status >= 400:
            try:
                content = answer.read(1 << 20)
            except (socket.timeout, OSError, http.client.HTTPException):
                pass
        return answer.status, content, answer.getheader("Content-Type") or ""
    finally:
        connection.close()


def alive():
    return ask("GET", "/_ping")[0] == 200


problems = []
requests_made = 0


@schemathesis.serializer("application/x-tar")
def serialize_archive(_context, value):
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


def check(operation, names, case):
    global requests_made
    if operation.path == "/containers/create" and isinstance(case.body, dict) and names.random() < 0.8:
        case.body["Image"] = "busybox"
    kind = operation.path.split("/")[1] if operation.path.count("/") > 1 else ""
    if case.path_parameters and "name" in case.path_parameters and names.random() < 0.7 and kind in KNOWN:
        case.path_parameters["name"] = names.choice(KNOWN[kind])
    try:
        prepared = requests.Request(**{
            key: value for key, value in case.as_transport_kwargs(base_url="http://masu").items()
            if key in ("method", "url", "headers", "params", "json", "data", "cookies")}).prepare()
        headers = {name: value for name, value in prepared.headers.items() if name.lower() != "host"}
        target = prepared.path_url
        for name, value in headers.items():
            f"{name}{value}".encode("latin-1")
    except (requests.exceptions.RequestException, UnicodeError, ValueError):
        return  # no HTTP client could send it
    status, content, _ = ask(prepared.method, target, headers, prepared.body)
    requests_made += 1
    wrong = None
    if status is None:
        if not alive():
            wrong = "no answer, and none to a ping either"
    elif status == 0:
        wrong = "the connection ended: " + content.decode(errors="replace")
    elif status >= 500 and status not in (501, 503):
        wrong = "status %d: %s" % (status, content[:300].decode(errors="replace"))
    elif status >= 400 and prepared.method != "HEAD":
        try:
            if not isinstance(json.loads(content)["message"], str):
                wrong = "an error without a message: %r" % content[:200]
        except (ValueError, KeyError, TypeError):
            wrong = "status %d with %r" % (status, content[:200])
    if wrong:
        line = "%s %s %r -> %s" % (prepared.method, target[:300], (prepared.body or b"")[:600], wrong)
        problems.append(line)
        print(line, flush=True)


def fuzz(operation, mode, examples, names):
    @seed(SEED)
    @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate], derandomize=False,
              suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def requests_of_operation(case):
        if time.monotonic() < end:
            check(operation, names, case)

    requests_of_operation()


connection = UnixConnection("masu")
connection.request("GET", "/masu/openapi.json")
document = json.loads(connection.getresponse().read())
connection.close()
# Other members are allowed, and ignored: without them each request is about something.
for described in document["components"]["schemas"].values():
    described["additionalProperties"] = False
schema = schemathesis.openapi.from_dict(document)
operations = [
    operation for operation in (result.ok() for result in schema.get_all_operations())
    if (operation.method.upper(), operation.path) not in LEFT_OUT]
order = random.Random(SEED)
order.shuffle(operations)
end = time.monotonic() + SECONDS
rounds = 0
while time.monotonic() < end:
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            if time.monotonic() >= end:
                break
            try:
                fuzz(operation, mode, 3 if rounds == 0 else 20, order)
            except Exception as error:  # there is nothing wrong to send, and other limits of the fuzzer
                if "Unsatisfiable" not in type(error).__name__ and "NoGeneration" not in repr(error):
                    print("note: %s %s: %r" % (operation.method, operation.path, error), flush=True)
    rounds += 1
    SEED += 1
print("%d requests, %d operations, %d rounds, %d problems" % (
    requests_made, len(operations), rounds, len(problems)), flush=True)
sys.exit(1 if problems or not requests_made else 0)
