#!/usr/bin/env python3
"""Runs the binary as its users do: whole lives of a node, with scrapes, signals and restarts.

usage: run_cli.py PATH_OF_INCIPIT [unittest options]
Temporary files are made in the current directory, because the NVMe tier needs a file system with O_DIRECT.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

INCIPIT = ""
TIMEOUT_S = 120  # of anything; only a hang comes near it

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)')


def run(*arguments, environment=None):
    """(exit status, standard output, standard error) of one command."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("INCIPIT_")}
    done = subprocess.run([INCIPIT, *arguments], capture_output=True, timeout=TIMEOUT_S, check=False,
                          env={**variables, **(environment or {})})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Node:
    """A node in a child process. Its directory is the caller's."""

    def __init__(self, directory, *more):
        read_end, write_end = os.pipe()
        self.log = open(os.path.join(directory, "node.log"), "ab")
        self.process = subprocess.Popen(
            [INCIPIT, "serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ram", "64MiB", "--shards", "2",
             "--nvme", os.path.join(directory, "nvme"), "--nvme-bytes", "256MiB", "--region-bytes", "16MiB", "--sparse",
             "--no-huge-pages", "--log-format", "json", "--json", "--ready-fd", str(write_end), *more],
            stdout=subprocess.PIPE, stderr=self.log, pass_fds=[write_end])
        os.close(write_end)
        with os.fdopen(read_end) as ready:
            self.ready_line = ready.read()
        self.started = json.loads(self.process.stdout.readline() or b"{}")
        self.address = self.started.get("address")

    def get(self, path):
        """(status, body) of a page."""
        try:
            with urllib.request.urlopen(f"http://{self.started['http']}{path}", timeout=TIMEOUT_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        status = self.process.wait(TIMEOUT_S)
        self.process.stdout.close()
        self.log.close()
        return status


def parse_metrics(test, text):
    """{name: {labels: value}}; fails the test on anything that is not the text format."""
    types, series = {}, {}
    test.assertTrue(text.endswith("\n"))
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            test.assertNotIn(name, types, "one TYPE per family")
            test.assertIn(kind, ("counter", "gauge", "histogram"))
            types[name] = kind
            continue
        if line.startswith("# HELP "):
            continue
        found = SAMPLE.match(line)
        test.assertTrue(found, line)
        name, labels, value = found.group(1), found.group(3) or "", float(found.group(4))
        test.assertEqual(LABEL.sub("", labels), "", line)
        family = re.sub(r"_(bucket|sum|count)$", "", name) if name not in types else name
        test.assertIn(family, types, f"TYPE comes before {line}")
        key = tuple(sorted(LABEL.findall(labels)))
        test.assertNotIn(key, series.setdefault(name, {}), f"twice: {line}")
        series[name][key] = value
    return series


def total(series, name, **labels):
    wanted = set(labels.items())
    return sum(value for key, value in series.get(name, {}).items() if wanted <= set(key))


class NodeLife(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="run_cli.", dir=os.getcwd())
        self.prompt = os.path.join(self.directory, "prompt")
        with open(self.prompt, "wb") as file:  # 2048 tokens: 32 blocks
            file.write(bytes(i * i % 251 for i in range(8192)))
        self.nodes = []

    def tearDown(self):
        for node in self.nodes:
            if node.process.poll() is None:
                node.stop(signal.SIGKILL)
        shutil.rmtree(self.directory)

    def start(self, *more):
        node = Node(self.directory, *more)
        self.nodes.append(node)
        self.assertTrue(node.address, self.node_log())
        return node

    def node_log(self):
        with open(os.path.join(self.directory, "node.log"), encoding="utf-8") as log:
            return log.read()

    def command(self, node, *arguments, expect=0):
        status, out, err = run(*arguments, "--connect", node.address, "--json")
        self.assertEqual(status, expect, f"{arguments}: {out}{err}")
        return json.loads(out)

    def test_blocks_survive_an_orderly_restart(self):
        node = self.start()
        self.assertEqual(node.ready_line, node.address + "\n")
        self.assertEqual(self.command(node, "match", "--file", self.prompt, expect=3)["tokens_matched"], 0)
        put = self.command(node, "put", "--file", self.prompt, "--random", "7")
        self.assertEqual((put["blocks"], put["stored"]), (32, 32))
        match = self.command(node, "match", "--file", self.prompt, "--list")
        self.assertEqual(match["tokens_matched"], 2048)
        last = match["blocks"][-1]["key"]
        self.assertEqual(self.command(node, "remove", "--key", last)["removed"], 1)
        got = self.command(node, "get", "--file", self.prompt, "--random", "7", expect=3)
        self.assertEqual((got["hits_ram"], got["missed"], got["wrong_bytes"]), (31, {"miss": 1}, 0))
        self.assertEqual(node.stop(), 0, self.node_log())

        node = self.start()
        match = self.command(node, "match", "--file", self.prompt, "--list")
        self.assertEqual(match["tokens_matched"], 2048 - 64)
        self.assertEqual(match["blocks"][-1]["tier"], "miss", "removed blocks stay removed")
        got = self.command(node, "get", "--file", self.prompt, "--random", "7", expect=3)
        self.assertEqual((got["hits_nvme"], got["hits_ram"], got["wrong_bytes"]), (31, 0, 0))
        self.assertEqual(node.stop(signal.SIGINT), 0, self.node_log())

    def test_everything_works_over_a_unix_socket(self):
        path = os.path.join(self.directory, "node.sock")
        node = self.start("--listen-unix", path, "--unix-mode", "0620")
        self.assertEqual(node.started["unix"], "unix://" + path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o620)
        tcp, node.address = node.address, node.started["unix"]
        self.assertEqual(self.command(node, "put", "--file", self.prompt, "--random", "7")["stored"], 32)
        got = self.command(node, "get", "--file", self.prompt, "--random", "7")
        self.assertEqual((got["hits_ram"], got["wrong_bytes"]), (32, 0))
        self.assertEqual(self.command(node, "status")["node"]["shards"], 2)
        series = parse_metrics(self, node.get("/metrics")[1])
        self.assertEqual(total(series, "incipit_load_bytes_total", lane="unix"), 32 * 56960)
        self.assertEqual(total(series, "incipit_load_bytes_total", lane="tcp"), 0)
        node.address = tcp  # the same blocks by the other lane
        self.assertEqual(self.command(node, "get", "--file", self.prompt, "--random", "7")["hits_ram"], 32)
        node.stop(signal.SIGKILL)
        self.assertTrue(os.path.exists(path), "a killed node cannot remove its socket")
        node = self.start("--listen-unix", path)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(node.stop(), 0, self.node_log())
        self.assertFalse(os.path.exists(path))

    def test_status_and_metrics_agree(self):
        node = self.start("--name", "tested")
        self.command(node, "put", "--file", self.prompt, "--random", "7")
        self.command(node, "get", "--file", self.prompt, "--random", "7")
        self.command(node, "get", "--text", "x" * 256, expect=3)
        status = self.command(node, "status")
        self.assertEqual((status["node"]["name"], status["node"]["shards"]), ("tested", 2))
        self.assertEqual([shard["shard"] for shard in status["shards"]], [0, 1])
        code, text = node.get("/metrics")
        self.assertEqual(code, 200)
        series = parse_metrics(self, text)
        self.assertEqual(total(series, "incipit_shard_up"), 2)
        self.assertEqual(total(series, "incipit_load_hits_total", tier="ram"), 32)
        self.assertEqual(total(series, "incipit_load_misses_total", reason="absent"), 1)
        self.assertEqual(total(series, "incipit_load_bytes_total", tier="ram", lane="tcp"), 32 * 56960)
        self.assertEqual(total(series, "incipit_nvme_state", state="serving"), 2)
        for name, metric in (("blocks", "incipit_indexed_blocks"), ("blocks_stored_total",) * 2,
                             ("load_hits_ram_total", "incipit_load_hits_total"), ("store_bytes_total",) * 2):
            metric = metric if metric.startswith("incipit_") else "incipit_" + metric
            self.assertEqual(status["total"][name], total(series, metric), name)
        for key in series["incipit_request_latency_seconds_count"]:
            self.check_histogram(series, dict(key))

    def check_histogram(self, series, labels):
        buckets = [(float(dict(key)["le"]), value)
                   for key, value in series["incipit_request_latency_seconds_bucket"].items()
                   if set(labels.items()) <= set(key)]
        buckets.sort()
        counts = [count for _, count in buckets]
        self.assertEqual(counts, sorted(counts), labels)
        self.assertEqual(buckets[-1][0], float("inf"))
        self.assertEqual(counts[-1], total(series, "incipit_request_latency_seconds_count", **labels))

    def test_top_shows_what_was_asked_for(self):
        node = self.start()
        blocks = ["--file", self.prompt, "--random", "1", "--connect", node.address]
        self.assertEqual(run("put", *blocks)[0], 0)
        self.assertEqual(run("get", *blocks)[0], 0)
        trace = os.path.join(self.directory, "trace.jsonl")
        line = {"timestamp": 0, "input_length": 1024, "output_length": 1, "hash_ids": [1, 2]}
        with open(trace, "w") as file:
            file.write(2 * (json.dumps(line) + "\n"))
        self.assertEqual(run("replay", "--trace", trace, "--workers", "1", "--connect", node.address)[0], 0)
        status, out, err = run("top", "--once", "--json", "--interval-ms", "1000", "--connect", node.address)
        self.assertEqual(status, 0, err)
        seen = json.loads(out)
        self.assertEqual([each["answers"] for each in seen["nodes"]], [True])
        self.assertEqual(seen["tenants"][0]["tenant"], "default")
        self.assertEqual(seen["tenants"][0]["match_hit_ratio_ever"], 0.5)
        self.assertIn(2048, [each["tokens"] for each in seen["hottest_prefixes"]])

    def test_health_and_readiness(self):
        node = self.start()
        self.assertEqual(node.get("/healthz"), (200, "ok\n"))
        code, body = node.get("/readyz")
        self.assertEqual(code, 200)
        ready = json.loads(body)
        self.assertTrue(ready["ready"])
        self.assertEqual([shard["answers"] for shard in ready["shards"]], [True, True])
        self.assertEqual(node.get("/nothing")[0], 404)

    def test_log_is_json_with_events_in_order(self):
        node = self.start()
        node.stop()
        events = [json.loads(line)["event"] for line in self.node_log().splitlines()]
        wanted = ["http_started", "node_started", "node_stopping", "node_stopped"]
        self.assertEqual([event for event in events if event in wanted], wanted)

    def test_restart_with_other_shards_names_the_flag(self):
        self.start().stop()
        status, _, err = run("serve", "--listen", "127.0.0.1:0", "--http", "none", "--ram", "64MiB", "--shards", "3",
                             "--nvme", os.path.join(self.directory, "nvme"), "--nvme-bytes", "256MiB", "--sparse")
        self.assertEqual(status, 1)
        self.assertIn("--shards 2", err)

    def test_ready_file_and_configuration_file(self):
        ready = os.path.join(self.directory, "ready")
        config = os.path.join(self.directory, "incipit.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'[serve]\nname = "from-file"\nready-file = "{ready}"\n')
        node = self.start("--config", config)
        with open(ready, encoding="utf-8") as file:
            self.assertEqual(file.read(), node.address + "\n")
        status, out, err = run("status", "--json", environment={"INCIPIT_CONNECT": node.address})
        self.assertEqual(status, 0, err)
        self.assertEqual(json.loads(out)["node"]["name"], "from-file")

    def test_payload_of_a_file_comes_back(self):
        node = self.start()
        block = ["--layout", "custom:4x256", "--block-tokens", "16", "--key", "0badcafe"]
        put = self.command(node, "put", *block, "--payload", self.prompt)
        self.assertEqual(put["padded_bytes"], 4 * 256 * 16 - 8192)
        out = os.path.join(self.directory, "out")
        self.command(node, "get", *block, "--out", out)
        with open(out, "rb") as file, open(self.prompt, "rb") as expected:
            self.assertEqual(file.read(), expected.read() + bytes(4 * 256 * 16 - 8192))

    def test_second_node_on_the_same_files_is_refused(self):
        node = self.start()
        status, _, err = run("serve", "--listen", "127.0.0.1:0", "--http", "none", "--ram", "64MiB", "--shards", "2",
                             "--nvme", os.path.join(self.directory, "nvme"), "--nvme-bytes", "256MiB",
                             "--region-bytes", "16MiB", "--sparse")
        self.assertEqual(status, 1, "two nodes would overwrite each other's regions")
        self.assertIn("nvme", err)
        self.assertEqual(self.command(node, "status")["node"]["shards"], 2)


class WithoutNode(unittest.TestCase):
    def test_unreachable_node_is_an_error_in_time(self):
        for command in (["status"], ["match", "--text", "x" * 256], ["get", "--text", "x" * 256],
                        ["put", "--text", "x" * 256, "--random", "1"], ["remove", "--text", "x" * 256]):
            status, out, err = run(*command, "--connect", "tcp://127.0.0.1:1", "--timeout-ms", "500", "--json")
            self.assertEqual(status, 1, command)
            self.assertIn("tcp://127.0.0.1:1", err)
            self.assertIn("code", json.loads(out)["error"])

    def test_wrong_flags_end_with_two(self):
        for command in ([], ["nothing"], ["serve", "--shards", "many"], ["put", "--nothing"]):
            status, out, err = run(*command)
            self.assertEqual((status, out), (2, ""), command)
            self.assertIn("--help", err)

    def test_help_and_version(self):
        status, out, _ = run("--help")
        self.assertEqual(status, 0)
        for command in re.findall(r"^  (\w+) {2,}", out, re.MULTILINE):
            status, out, err = run(command, "--help")
            self.assertEqual((status, err), (0, ""), command)
            self.assertIn("--json", out, command)
        self.assertRegex(run("--version")[1], r"^incipit \d+\.\d+\.\d+ ")


if __name__ == "__main__":
    INCIPIT = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
