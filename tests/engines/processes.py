"""Processes of the end-to-end test: engines, nodes, and a proxy between them that can cut or freeze a load."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

ENGINE = pathlib.Path(__file__).with_name("engine.py")


class Engine:
    """A running engine.py. A context manager; leaving it stops the process."""

    def __init__(self, name, log_directory, arguments, environment=None, start_timeout_s=300):
        self.name = name
        self.log = pathlib.Path(log_directory) / f"{name}.log"
        read_end, write_end = os.pipe()
        with open(self.log, "w") as log:
            self._process = subprocess.Popen(
                [sys.executable, str(ENGINE), "--answers-fd", str(write_end), *arguments],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[write_end],
                env={**os.environ, **(environment or {})},
                text=True,
            )
        os.close(write_end)
        self._answers = os.fdopen(read_end)
        self._start_timeout_s = start_timeout_s
        self.ready = False

    def wait_ready(self):
        self.start_s = self._answer()["start_s"]
        self.ready = True
        return self

    def _answer(self):
        line = self._answers.readline()
        if not line:
            tail = "".join(open(self.log).readlines()[-25:])
            raise RuntimeError(f"engine {self.name} ended with {self._process.wait()}; end of {self.log}:\n{tail}")
        return json.loads(line)

    def _tell(self, command):
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def run(self, requests, concurrency=1, on_finished=None):
        """Results by id, in the order in which they finished."""
        self._tell({"run": requests, "concurrency": concurrency})
        results = {}
        while "ran" not in (answer := self._answer()):
            results[answer["finished"]] = answer
            if on_finished is not None:
                on_finished(answer, len(results))
        return results

    def metrics(self):
        self._tell({"metrics": True})
        return self._answer()["metrics"]

    def stop(self):
        if self._process.poll() is None:
            try:
                self._tell({"stop": True})
                self._process.wait(timeout=60)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        self._answers.close()

    def __enter__(self):
        return self.wait_ready()

    def __exit__(self, *error):
        self.stop()


class Node:
    """A running node. Keeps its port over restarts."""

    def __init__(self, binary, directory, *arguments, lane="tcp"):
        self._lane = lane
        self._binary = str(binary)
        self._directory = pathlib.Path(directory)
        self._directory.mkdir(parents=True, exist_ok=True)
        self._arguments = arguments
        self._process = None
        self._starts = 0
        self.port = free_port()

    @property
    def address(self):
        return f"unix://@incipit-engines-{self.port}" if self._lane == "unix" else f"tcp://127.0.0.1:{self.port}"

    def start(self):
        self._starts += 1
        ready = self._directory / f"ready{self._starts}"
        with open(self._directory / "node.log", "a") as log:
            self._process = subprocess.Popen(
                [self._binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--http", "none",
                 "--listen-unix", f"@incipit-engines-{self.port}", "--ready-file", str(ready), *self._arguments],
                stdout=log, stderr=subprocess.STDOUT,
            )
        wait_for(lambda: ready.exists() and ready.read_text(), 60, "the node to serve", self._process)
        return self

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=60)
            self._process = None

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def status(self):
        """Sums of the shards' numbers."""
        output = subprocess.run(
            [self._binary, "status", "--connect", self.address, "--json"], check=True, capture_output=True, text=True
        ).stdout
        sums = {}
        for shard in json.loads(output)["shards"]:
            for name, value in shard.items():
                if isinstance(value, (int, float)) and not isinstance(value, bool):
                    sums[name] = sums.get(name, 0) + value
        return sums

    def __enter__(self):
        return self.start()

    def __exit__(self, *error):
        self.kill()


class Proxy:
    """Passes bytes to and from a node until armed: then it counts what the node sends, and strikes at the limit.

    Striking calls `strike` once and passes nothing more in either direction; connections stay open if `freeze`.
    """

    def __init__(self, target_port):
        self._target_port = target_port
        self._lock = threading.Lock()
        self._left = None
        self._strike = None
        self._freeze = False
        self._struck = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def struck(self):
        return self._struck.is_set()

    def arm(self, after_bytes, strike, freeze=False):
        with self._lock:
            self._left, self._strike, self._freeze = after_bytes, strike, freeze

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            try:
                if self.struck:
                    raise OSError("the node is gone")
                node = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                client.close()
                continue
            threading.Thread(target=self._pass, args=(client, node, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(node, client, True), daemon=True).start()

    def _pass(self, source, target, from_node):
        try:
            while data := source.recv(64 << 10):
                if from_node and self._spend(len(data)):
                    break
                if self.struck:
                    break
                target.sendall(data)
        except OSError:
            pass
        if self._freeze and self.struck:
            return  # both ends stay open and silent
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _spend(self, count):
        with self._lock:
            if self._left is None or self.struck:
                return self.struck
            self._left -= count
            if self._left > 0:
                return False
            self._struck.set()
            self._strike()
            return True


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(condition, timeout_s, what, process=None):
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"process ended with {process.returncode} while waiting for {what}")
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"waited {timeout_s} s for {what}")
        time.sleep(0.05)
