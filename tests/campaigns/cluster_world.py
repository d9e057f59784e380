"""A cluster of real nodes and a real redis-server for campaigns, each with an address of its own.

Where root permits (namespaced=True, called inside `unshare --net --mount`) every process has a network namespace, with
10.77.0.x on a bridge; otherwise all share the host's loopback, with addresses 127.0.0.x.
"""
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time
import urllib.request

PATIENCE_S = 60
BLOCK_TOKENS = 512
REDIS = 200  # the number that its address follows from; that of its replica is the next one
REPLICA = REDIS + 1
SENTINELS = REDIS + 2  # of the first one


def wait_for(what, condition):
    until = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {PATIENCE_S} s")
        time.sleep(0.05)


class World:
    """Used with `with`: what it started ends with it."""

    def __init__(self, binary, scratch, namespaced, lease_ms=2000, ram="64MiB", nvme_bytes="256MiB", sentinels=0):
        self.binary = str(pathlib.Path(binary).resolve())
        self.scratch = pathlib.Path(scratch)
        self.namespaced = namespaced
        self.lease_ms, self.ram, self.nvme_bytes = lease_ms, ram, nvme_bytes
        self.sentinels = sentinels  # 0: one redis-server; else it has a replica, and they watch both
        self.nodes, self.redis, self.spaces, self.others = {}, None, set(), []
        self.more_arguments = []  # of every node; {address} stands for its own
        self.credentials = None  # where nodes have tenants: the folder of their secrets, "ops" an admin among them

    def __enter__(self):
        if self.namespaced:
            for command in ("mount -t tmpfs none /run", "ip link set lo up", "ip link add bridge0 type bridge",
                            "ip addr add 10.77.0.254/24 dev bridge0", "ip link set bridge0 up"):
                subprocess.run(command.split(), check=True)
        return self

    def __exit__(self, *_):
        for process in [*self.nodes.values(), *self.others, self.redis]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        if self.namespaced:  # another world may follow
            for command in (*(f"ip netns del s{number}" for number in sorted(self.spaces)), "ip link del bridge0",
                            "umount -l /run"):
                subprocess.run(command.split(), check=True)

    def describe(self):
        return "network namespaces, 10.77.0.x" if self.namespaced else "one host, loopback addresses 127.0.0.x"

    def address(self, number):
        return f"10.77.0.{number + 1}" if self.namespaced else f"127.0.0.{number + 11}"

    def placed(self, number, command):
        """The command as it runs in the namespace that has address(number)."""
        if not self.namespaced:
            return command
        space = f"s{number}"
        if number not in self.spaces:
            for line in (f"ip netns add {space}",
                         f"ip link add v{number} type veth peer name eth0 netns {space}",
                         f"ip link set v{number} master bridge0 up",
                         f"ip -n {space} addr add {self.address(number)}/24 dev eth0",
                         f"ip -n {space} link set eth0 up", f"ip -n {space} link set lo up"):
                subprocess.run(line.split(), check=True)
            self.spaces.add(number)
        return ["ip", "netns", "exec", space, *command]  # replaces itself: the process is the command's own

    def start(self, number, command, log):
        with open(log, "ab") as out:
            return subprocess.Popen(self.placed(number, command), stdout=out, stderr=out)

    def part(self, one, other):
        """From now on nothing that one of both namespaces sends reaches the other, and nobody is told so: frames go to
        a hardware address that nobody has."""
        for space, peer in ((one, other), (other, one)):
            subprocess.run(["ip", "-n", f"s{space}", "neigh", "replace", self.address(peer), "lladdr",
                            "02:00:00:00:00:01", "dev", "eth0", "nud", "permanent"], check=True)

    def join_again(self, one, other):
        for space, peer in ((one, other), (other, one)):
            subprocess.run(["ip", "-n", f"s{space}", "neigh", "del", self.address(peer), "dev", "eth0"], check=True)

    def start_cluster(self, nodes):
        """Redis, and so many nodes that serve."""
        self.start_redis()
        for number in range(nodes):
            self.start_node(number)
        self.wait_for_serving(nodes)

    # Redis

    def start_redis(self):
        self.redis = self.start_redis_server(REDIS)
        if self.sentinels and not self.others:
            self.others.append(self.start_redis_server(REPLICA, "--replicaof", f"{self.address(REDIS)} 7379",
                                                       "--repl-diskless-sync-delay", "0"))
            for number in range(SENTINELS, SENTINELS + self.sentinels):
                self.start_sentinel(number)
            wait_for("sentinels know the replica and each other", self.sentinels_agree)

    def start_redis_server(self, number, *more):
        process = self.start(number, ["redis-server", "--bind", self.address(number), "--port", "7379",
                                      "--protected-mode", "no", "--save", "", "--appendonly", "no", "--dir",
                                      str(self.scratch), "--replica-announce-ip", self.address(number), *more],
                             self.scratch / f"redis{number}.log")
        wait_for("redis-server", lambda: self.redis_answers(number))
        return process

    def start_sentinel(self, number):
        config = self.scratch / f"sentinel{number}.conf"  # which it writes to
        config.write_text(f"""port 7380
bind {self.address(number)}
protected-mode no
dir {self.scratch}
sentinel announce-ip {self.address(number)}
sentinel monitor main {self.address(REDIS)} 7379 {self.sentinels // 2 + 1}
sentinel down-after-milliseconds main 1000
sentinel failover-timeout main 10000
""")
        self.others.append(self.start(number, ["redis-server", str(config), "--sentinel"],
                                      self.scratch / f"sentinel{number}.log"))

    def sentinels_agree(self):
        for number in range(SENTINELS, SENTINELS + self.sentinels):
            try:
                said = self.ask_redis("SENTINEL MASTER main", number, 7380).split("\r\n")
            except OSError:
                return False
            if "num-slaves" not in said or said[said.index("num-slaves") + 2] != "1":
                return False
            if said[said.index("num-other-sentinels") + 2] != str(self.sentinels - 1):
                return False
        return True

    def membership(self):
        if not self.sentinels:
            return f"redis://{self.address(REDIS)}:7379?cluster=campaign"
        places = ",".join(f"{self.address(SENTINELS + i)}:7380" for i in range(self.sentinels))
        return f"redis+sentinel://{places}/main?cluster=campaign"

    def kill_redis(self):
        self.redis.kill()
        self.redis.wait()

    def redis_answers(self, number=REDIS):
        try:
            return self.ask_redis("PING", number).startswith("+PONG")
        except OSError:
            return False

    def ask_redis(self, command, number=REDIS, port=7379):
        with socket.create_connection((self.address(number), port), timeout=2) as connection:
            connection.sendall(command.encode() + b"\r\n" + (b"" if port == 7380 else b"QUIT\r\n"))
            if port == 7380:  # sentinels know no QUIT
                connection.shutdown(socket.SHUT_WR)
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer.decode()

    def redis_script_calls(self):
        """Calls of the map's script since redis-server was started."""
        calls = 0
        for line in self.ask_redis("INFO commandstats").splitlines():
            if line.startswith(("cmdstat_eval:", "cmdstat_evalsha:")):
                calls += int(line.split("calls=")[1].split(",")[0])
        return calls

    # Nodes

    def start_node(self, number, directory=None, at=None):
        """Returns once it serves. `at`: the address, if not that of its number."""
        at = number if at is None else at
        directory = directory or self.scratch / f"node{number}"
        ready = self.scratch / f"ready{at}"
        ready.unlink(missing_ok=True)
        process = self.start(at, [
            self.binary, "serve", "--listen", f"{self.address(at)}:9400", "--insecure", "--http",
            f"{self.address(at)}:9401", "--shards", "1", "--ram", self.ram, "--no-huge-pages", "--nvme", str(directory),
            "--nvme-bytes", self.nvme_bytes, "--region-bytes", "4MiB", "--sparse", "--membership",
            self.membership(), "--node-name", f"node{number}", "--weight", "1",
            "--lease-ms", str(self.lease_ms), "--ready-file", str(ready),
            *(each.format(address=self.address(at)) for each in self.more_arguments)], self.scratch / f"node{at}.log")
        wait_for(f"node {number}", lambda: ready.exists() or process.poll() is not None)
        if process.poll() is not None:
            raise AssertionError(f"node {number} did not start:\n" + (self.scratch / f"node{at}.log").read_text())
        if at == number:
            self.nodes[number] = process
        else:
            self.others.append(process)
        return process

    def metrics(self, number):
        with urllib.request.urlopen(f"http://{self.address(number)}:9401/metrics", timeout=5) as page:
            lines = page.read().decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}

    def kill_node(self, number):
        self.nodes[number].send_signal(signal.SIGKILL)
        self.nodes[number].wait()

    def seeds(self):
        return ",".join(self.seed(number) for number in sorted(self.nodes))

    def seed(self, number):
        return f"tcp://{self.address(number)}:9400"

    def as_tenant(self, name):
        return ["--tenant", name, "--secret-file", str(self.credentials / f"{name}.secret")]

    def cluster(self, seeds=None):
        """`status --cluster`, or None if no node gives a map."""
        who = self.as_tenant("ops") if self.credentials else []
        done = subprocess.run([self.binary, "status", "--cluster", seeds or self.seeds(), "--timeout-ms", "2000",
                               "--json", *who], capture_output=True, text=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def states(self):
        """By name as nodes call themselves; those that do not answer by id."""
        cluster = self.cluster() or {"nodes": []}
        return {node["name"] or node["id"]: node["state"] for node in cluster["nodes"]}

    def wait_for_serving(self, count):
        wait_for(f"{count} serving nodes", lambda: list(self.states().values()).count("serving") == count)

    def replay(self, trace, interval_ms, workers=4, at=None, seeds=None, more=()):
        """A replay in the background; finish_replay gives its report. `at`: the number whose namespace it runs in, if
        not in that of the bridge. `seeds`: the nodes that it is told of, if not all."""
        command = [self.binary, "replay", "--trace", str(trace), "--cluster", seeds or self.seeds(), "--speed", "1",
                   "--workers", str(workers), "--bytes-per-token", "32", "--block-tokens", str(BLOCK_TOKENS),
                   "--interval-ms", str(interval_ms), "--json", *more]
        return subprocess.Popen(command if at is None else self.placed(at, command), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)


def finish_replay(process):
    out, err = process.communicate()
    try:
        return json.loads(out)
    except json.JSONDecodeError:
        raise AssertionError(f"replay: {out}{err}") from None


def write_trace(path, seed, seconds, requests_per_s=40, documents=120, document_blocks=8, warm_s=4):
    """Prompts that open with one of some documents, each as likely, and end with a block of their own. The first warm_s
    seconds name each document once, so that from then on nearly all openings are there."""
    choice = random.Random(seed)
    own = 1 << 40
    with open(path, "w") as out:
        def prompt(at_ms, document):
            nonlocal own
            own += 1
            ids = [document * document_blocks + i for i in range(document_blocks)] + [own]
            print(json.dumps({"timestamp": round(at_ms), "input_length": len(ids) * BLOCK_TOKENS, "output_length": 1,
                              "hash_ids": ids}), file=out)
        for document in range(documents):
            prompt(document * warm_s * 1000 / documents, document)
        for i in range(round((seconds - warm_s) * requests_per_s)):
            prompt(warm_s * 1000 + i * 1000 / requests_per_s, choice.randrange(documents))


def ratio(intervals, begin_s, end_s, part="present_blocks", whole="blocks"):
    """Over the intervals that lie wholly between those times; None if there are none."""
    chosen = [each for each in intervals if each["start_s"] >= begin_s and each["end_s"] <= end_s]
    total = sum(each[whole] for each in chosen)
    return sum(each[part] for each in chosen) / total if total else None


def settings():
    return (int(os.environ.get("INCIPIT_SEED", "1")), os.environ.get("INCIPIT_CAMPAIGN_COUNT"),
            pathlib.Path(os.environ["INCIPIT_CAMPAIGN_DIR"]))
