"""How long a warm start of an installed package takes, beside `npx -y` and in what company it runs.

Measured in turns, A B C, then C B A: from starting the program to its first answered `tools/list`, and then, of the
whole process tree, how many processes there are and how much memory they hold: resident (RSS), and with what they
share counted once (PSS). What npx costs in processes and memory is judged with the proxy on both sides; raw `npx -y`
has neither the proxy nor its guardian.

    python3 warm.py PATH_OF_MCP_PROXY [ROUNDS]

Exits with 1 when a bar of the project is missed.
"""

import http.client
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

PACKAGE = "@modelcontextprotocol/server-filesystem@2026.8.31"

FASTER = 2.0
FEWER_PROCESSES = 1
LIGHTER_MIB = 60

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "warm", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}


class Raw:
    """`npx -y PACKAGE`, spoken to over its own pipes."""

    name = "npx -y"

    def __init__(self, folder, env):
        command = ["npx", "-y", PACKAGE, folder]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
            start_new_session=True,
        )

    def say(self, message):
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, message):
        self.say(message)
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer.get("id") == message["id"]:
                return answer
        raise SystemExit("npx -y: the server ended")

    def stop(self):
        self.process.stdin.close()
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(30)


class Proxied:
    """The same server behind mcp-proxy."""

    flags = []
    name = "mcp-proxy, installed"

    def __init__(self, folder, env):
        command = [env["PROXY"], "--port", "0", *self.flags, "--", "npx", "-y", PACKAGE, folder]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=env, start_new_session=True
        )
        for line in self.process.stderr:
            if "listens on http://" in line:
                self.address = line.split("http://", 1)[1].split("/", 1)[0]
                break
        self.headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        self.connection = http.client.HTTPConnection(self.address, timeout=120)

    def post(self, message):
        self.connection.request("POST", "/mcp", json.dumps(message), self.headers)
        reply = self.connection.getresponse()
        session = reply.getheader("mcp-session-id")
        if session:
            self.headers |= {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}
        return reply.status, reply.getheader("content-type"), reply.read()

    def say(self, message):
        status, _, body = self.post(message)
        assert status == 202, body

    def ask(self, message):
        status, kind, body = self.post(message)
        assert status == 200, body
        if kind == "text/event-stream":
            data = [line[5:] for line in body.splitlines() if line.startswith(b"data:") and len(line) > 6]
            body = data[-1]
        return json.loads(body)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


class ThroughNpx(Proxied):
    """The proxy with npx between it and the server, as before packages were installed."""

    flags = ["--no-install"]
    name = "mcp-proxy --no-install"


def tree(pid):
    """A process and everything below it, whichever of its threads started that."""
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    children = [child for task in tasks for child in (task / "children").read_text().split()]
    return [pid] + [below for child in children for below in tree(int(child))]


def memory(pid):
    """The resident and the proportional set size of a process, in MiB."""
    sizes = {}
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, size, _ = line.split()
        sizes[name] = int(size) / 1024
    return sizes["Rss:"], sizes["Pss:"]


def measure(kind, folder, env):
    begun = time.monotonic()
    subject = kind(folder, env)
    try:
        assert subject.ask(INITIALIZE)["result"]["serverInfo"]
        subject.say(INITIALIZED)
        assert subject.ask(LIST)["result"]["tools"]
        took = time.monotonic() - begun
        pids = tree(subject.process.pid)
        rss, pss = map(sum, zip(*map(memory, pids)))
        return took, len(pids), rss, pss
    finally:
        subject.stop()


def main():
    proxy, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 7
    kinds = [Proxied, Raw, ThroughNpx]
    seen = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as scratch:
        env = os.environ | {"PROXY": proxy, "MCP_PROXY_CACHE_DIR": f"{scratch}/cache"}
        for kind in kinds:
            # Once for the caches of each.
            measure(kind, scratch, env)
        for number in range(rounds):
            for kind in kinds if number % 2 == 0 else reversed(kinds):
                seen[kind].append(measure(kind, scratch, env))
    medians = {}
    for kind in kinds:
        medians[kind] = [statistics.median(column) for column in zip(*seen[kind])]
        took, processes, rss, pss = medians[kind]
        print(f"{kind.name:24} {took * 1000:6.0f} ms  {processes:.0f} processes  {rss:6.1f} MiB RSS  {pss:6.1f} MiB PSS")
    ratios = [raw[0] / own[0] for own, raw in zip(seen[Proxied], seen[Raw])]
    faster = statistics.median(ratios)
    fewer = medians[ThroughNpx][1] - medians[Proxied][1]
    lighter = medians[ThroughNpx][2] - medians[Proxied][2]
    bars = [
        (f"{faster:.2f}x faster to the first list than npx -y", faster >= FASTER),
        (f"{fewer:.0f} processes fewer than through npx", fewer >= FEWER_PROCESSES),
        (f"{lighter:.0f} MiB RSS lighter than through npx", lighter >= LIGHTER_MIB),
    ]
    for said, met in bars:
        print("ok" if met else "not ok", said)
    sys.exit(0 if all(met for _, met in bars) else 1)


main()
