#!/usr/bin/env python3
"""End-to-end test: vLLM on a CPU with a small MLA model, engines in processes of their own, a real node.

Each case prints what it measured and then ok or FAILED. The engine's own prefix cache is off: every hit is the tier's.
Outputs are compared, token by token and greedy, with those of an engine without the tier.
"""

import argparse
import json
import pathlib
import random
import statistics
import sys
import tempfile
import time

from disk_damage import flip_on_disk
from processes import Engine, Node, Proxy, free_port

VOCABULARY = 1024
ENVIRONMENT = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "GLOO_SOCKET_IFNAME": "lo",
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


class Failure(Exception):
    pass


def check(condition, message):
    if not condition:
        raise Failure(message)


def tokens(seed, count):
    generator = random.Random(seed)
    return [generator.randrange(2, VOCABULARY) for _ in range(count)]


class Bench:
    """What the cases share: settings, engines, and expected outputs from an engine without the tier."""

    def __init__(self, args, directory):
        self.args = args
        self.directory = pathlib.Path(directory)
        self.plain = None
        self.expected = {}

    def connector(self, address, **options):
        return json.dumps(
            {
                "kv_connector": options.pop("connector_class", "IncipitConnector"),
                "kv_connector_module_path": options.pop("module", "incipit.vllm"),
                "kv_role": "kv_both",
                "kv_load_failure_policy": "recompute",
                "kv_connector_extra_config": {"address": address, "match_wait_ms": 50, **options},
            }
        )

    def engine(self, name, connector="", *extra):
        arguments = ["--checkpoint", self.args.checkpoint, "--dtype", self.args.dtype, *extra]
        if connector:
            arguments += ["--connector", connector]
        if self.args.processes:
            arguments.append("--processes")
        environment = {**ENVIRONMENT, "PYTHONPATH": str(pathlib.Path(__file__).parent)}
        return Engine(name, self.directory, arguments, environment)

    def node(self, name, *arguments):
        return Node(self.args.node, self.directory / name, "--shards", "1", "--ram", "2GiB", *arguments,
                    lane=self.args.lane)

    def requests(self, prefixes, tail_seed):
        """One request for each prefix seed, each with a tail of its own."""
        return [
            {
                "id": f"p{prefix}t{tail_seed}",
                "prompt": tokens(prefix, self.args.prefix_tokens)
                + tokens(prefix * 1000 + tail_seed, self.args.tail_tokens),
                "tokens": self.args.output_tokens,
            }
            for prefix in prefixes
        ]

    def expect(self, requests):
        """Outputs without the tier, computed once per request."""
        missing = [request for request in requests if request["id"] not in self.expected]
        if missing:
            if self.plain is None:
                self.plain = self.engine("plain").wait_ready()
            self.expected.update(self.plain.run(missing))
        return {request["id"]: self.expected[request["id"]] for request in requests}

    def compare(self, requests, results):
        wrong = [
            request["id"]
            for request in requests
            if results[request["id"]]["tokens"] != self.expect([request])[request["id"]]["tokens"]
        ]
        check(not wrong, f"wrong output of {len(wrong)} of {len(requests)} requests: {', '.join(wrong[:5])}")

    def close(self):
        if self.plain is not None:
            self.plain.stop()


def ours(metrics):
    prefix = "vllm:incipit_"
    return {name[len(prefix):]: value for name, value in metrics.items() if name.startswith(prefix)}


def wait_stored(node, blocks, timeout_s=60):
    deadline_s = time.monotonic() + timeout_s
    while node.status()["blocks_stored_total"] < blocks:
        check(time.monotonic() < deadline_s, f"only {node.status()['blocks_stored_total']} of {blocks} blocks stored")
        time.sleep(0.1)


def fill(bench, node, prefixes, name):
    """An engine computes the prefixes and stores them; it has ended when this returns."""
    with bench.engine(name, bench.connector(node.address)) as engine:
        requests = bench.requests(prefixes, 1)
        results = engine.run(requests)
        wait_stored(node, len(prefixes) * bench.args.prefix_tokens // 16)
        return requests, results


def case_a(bench):
    """A second engine, started later, gets prefixes from the tier: same output, only the tail computed, faster."""
    args = bench.args
    prefixes = range(100, 100 + args.prompts)
    with bench.node("node_a") as node:
        first, first_results = fill(bench, node, prefixes, "a_first")
        second = bench.requests(prefixes, 2)
        with bench.engine("a_second", bench.connector(node.address)) as engine:
            results = engine.run(second)
            counts = ours(engine.metrics())
        status = node.status()
    plain = bench.expect(second)
    shared = args.prefix_tokens
    cached = [result["cached"] for result in results.values()]
    computed = [result["prompt"] - result["cached"] for result in results.values()]
    print(
        f"  prefilled tokens per prompt, as the engine counts them: {min(computed)} to {max(computed)} "
        f"of {shared + args.tail_tokens}"
    )
    check(min(cached) == max(cached) == shared, f"cached tokens {min(cached)} to {max(cached)}, expected {shared}")
    bench.compare(second, results)
    print(f"  output identical to the engine without the tier: {len(second)} of {len(second)} prompts")
    with_tier = statistics.median(result["ttft_s"] for result in results.values())
    without = statistics.median(result["ttft_s"] for result in plain.values())
    storing = statistics.median(result["ttft_s"] for result in first_results.values())
    match_ms = counts["match_us"] / counts["match_calls"] / 1e3
    load_ms = counts["load_us"] / counts["load_calls"] / 1e3
    print(
        f"  time to first token: {with_tier * 1e3:.0f} ms with the tier, {without * 1e3:.0f} ms without: "
        f"{with_tier / without:.3f} x (medians; {storing * 1e3:.0f} ms while storing)"
    )
    print(
        f"  of which match {match_ms:.2f} ms, load {load_ms:.2f} ms, "
        f"tail prefill and steps {with_tier * 1e3 - match_ms - load_ms:.1f} ms; "
        f"loaded {counts['load_bytes'] / 1e6:.0f} MB in {counts['load_blocks']:.0f} blocks"
    )
    check(with_tier <= 0.35 * without, f"time to first token is {with_tier / without:.2f} x, expected at most 0.35 x")
    check(status["leases"] == 0, f"{status['leases']} leases left")


def case_b(bench):
    """A byte flipped behind the checksums changes the output: the comparison of outputs means something."""
    prefixes = [100]
    with bench.node("node_b") as node:
        fill(bench, node, prefixes, "b_first")
        requests = bench.requests(prefixes, 2)
        flipping = bench.connector(node.address, connector_class="FlippingConnector", module="flipping_connector")
        with bench.engine("b_flipping", flipping) as engine:
            results = engine.run(requests)
    check(results[requests[0]["id"]]["cached"] == bench.args.prefix_tokens, "the prefix was not loaded")
    expected = bench.expect(requests)
    check(results[requests[0]["id"]]["tokens"] != expected[requests[0]["id"]]["tokens"], "the output did not change")
    print("  one bit of one byte of a loaded block flipped after its check: other output")


def case_c(bench):
    """Bytes flipped on disk: the damaged blocks are misses, the engine computes them, the output is right."""
    prefixes = [100]
    disk = bench.directory / "node_c" / "nvme"
    node = Node(bench.args.node, bench.directory / "node_c", "--shards", "1", "--ram", "64MiB", "--nvme", str(disk),
                "--nvme-bytes", "1GiB", "--region-bytes", "64MiB", "--sparse")
    disk.mkdir(parents=True, exist_ok=True)
    with node:
        requests, _ = fill(bench, node, prefixes, "c_first")
        node.stop()
        flipped = flip_on_disk(disk)
        node.start()
        requests = bench.requests(prefixes, 2)
        with bench.engine("c_second", bench.connector(node.address)) as engine:
            results = engine.run(requests)
            counts = ours(engine.metrics())
        status = node.status()
    print(
        f"  {flipped} bytes flipped; node found {status['damaged_on_nvme_total']} damaged blocks; "
        f"engine got {counts.get('load_blocks', 0):.0f} blocks and computed "
        f"{counts.get('load_failed_blocks', 0):.0f} failed ones"
    )
    check(counts.get("load_failed_blocks", 0) > 0, "no load met a damaged block")
    bench.compare(requests, results)


def case_d(bench):
    """The node is killed, or freezes, in the middle of a load: right output, in time."""
    deadline_s = 2.0
    prefixes = [100, 101]
    took_s = {}
    for strike in ("killed", "frozen"):
        with bench.node(f"node_d_{strike}") as node:
            fill(bench, node, prefixes, f"d_first_{strike}")
            proxy = Proxy(node.port)
            connector = bench.connector(proxy.address, deadline_ms=int(deadline_s * 1e3))
            with bench.engine(f"d_second_{strike}", connector) as engine:
                requests = bench.requests(prefixes, 2)
                engine.run(requests[:1])  # connects, and shows that the proxy passes loads
                # What computing costs this engine, which so has computed before it is struck: a first time is slower.
                computed = bench.requests([102, 103, 104], 2)
                compute_s = statistics.median(result["ttft_s"] for result in engine.run(computed).values())
                before = node.status()["load_bytes_ram_total"]
                check(before > 0, "the first prefix was not loaded through the proxy")
                loads_before_s = ours(engine.metrics())["load_us"] / 1e6
                proxy.arm(before // 2, node.kill if strike == "killed" else (lambda: None), strike == "frozen")
                results = engine.run(requests[1:])
                counts = ours(engine.metrics())
        check(proxy.struck, "the load ended before the node was struck: does it bypass the proxy?")
        load_s = counts["load_us"] / 1e6 - loads_before_s
        took_s[strike] = results[requests[1]["id"]]["ttft_s"]
        print(
            f"  node {strike} after half of a load: {counts['load_failed_blocks']:.0f} blocks failed, the load ended "
            f"after {load_s:.2f} s of {deadline_s:.0f} s, first token after {took_s[strike]:.2f} s "
            f"(a whole prompt computed: {compute_s:.2f} s)"
        )
        bench.compare(requests[1:], results)
        check(counts["load_failed_blocks"] > 0, "no block failed")
        check(load_s <= 1.1 * deadline_s, "the load outlived its deadline")
    # The engine computes behind the blocks that arrived, which can cost it more than a whole prompt from nothing. What
    # that costs, the killed node shows: nothing else was waited for there.
    check(took_s["killed"] <= deadline_s + 1.1 * compute_s, "killed: longer than deadline and computing")
    check(took_s["frozen"] <= deadline_s + 1.1 * took_s["killed"], "frozen: longer than deadline and recomputing")


def case_e(bench):
    """No node at all at start: the engine serves, and warns."""
    requests = bench.requests([100, 101], 2)
    with bench.engine("e_alone", bench.connector(f"tcp://127.0.0.1:{free_port()}")) as engine:
        results = engine.run(requests)
        log = engine.log
    bench.compare(requests, results)
    warnings = [line for line in open(log) if "WARNING" in line and "incipit:" in line]
    check(warnings, "no warning in the engine's log")
    print(f"  {len(requests)} prompts served; {len(warnings)} warnings, first: {warnings[0].strip()[-120:]}")
    plain = bench.expect(requests)
    slower = statistics.median(results[i]["ttft_s"] / plain[i]["ttft_s"] for i in results)
    print(f"  time to first token {slower:.2f} x that without the connector")


def case_f(bench):
    """Many requests, several at a time, few prefixes, the node restarted in the middle."""
    args = bench.args
    short = args.soak_prefix_tokens
    prefixes = range(200, 204)
    requests = [
        {
            "id": f"s{number}",
            "prompt": tokens(prefixes[number % 4], short) + tokens(1000 + number, args.tail_tokens),
            "tokens": args.output_tokens,
        }
        for number in range(args.soak_requests)
    ]
    bench.expect(requests)
    with bench.node("node_f") as node:
        with bench.engine("f_soak", bench.connector(node.address)) as engine:
            rss = []

            def restart_in_the_middle(answer, count):
                rss.append(answer["rss_bytes"])
                if count == args.soak_requests // 2:
                    node.kill()
                    node.start()

            results = engine.run(requests, 8, restart_in_the_middle)
            counts = ours(engine.metrics())
            time.sleep(1)
            status = node.status()
    half = rss[len(rss) // 2:]
    growth = statistics.mean(half[-5:]) - statistics.mean(half[:5])
    cached = sum(result["cached"] for result in results.values())
    print(
        f"  {len(results)} requests, {cached} of {len(results) * short} shared tokens from the tier, "
        f"{counts.get('load_failed_blocks', 0):.0f} blocks failed, {counts.get('store_blocks', 0):.0f} stored"
    )
    print(f"  leases left on the node: {status['leases']}; resident memory over the last half: {growth / 1e6:+.1f} MB")
    plain = [bench.expected[request["id"]]["rss_bytes"] for request in requests]
    print(f"  resident memory in MB at each eighth of the run: {eighths(rss)}; without the tier: {eighths(plain)}")
    bench.compare(requests, results)
    check(status["leases"] == 0, "leases leaked")
    check(growth < 32e6, "memory grew")


def eighths(sizes_bytes):
    return " ".join(f"{sizes_bytes[(len(sizes_bytes) - 1) * part // 8] / 1e6:.0f}" for part in range(9))


def case_l(bench):
    """Layer by layer: loads and saves within the step; the node killed in the middle of one."""
    prefixes = [100, 101]
    with bench.node("node_l") as node:
        requests = bench.requests(prefixes, 1)
        with bench.engine("l_first", bench.connector(node.address, layerwise=True)) as engine:
            results = engine.run(requests)
            bench.compare(requests, results)
            wait_stored(node, len(prefixes) * bench.args.prefix_tokens // 16)
        requests = bench.requests(prefixes, 2)
        proxy = Proxy(node.port)
        with bench.engine("l_second", bench.connector(proxy.address, layerwise=True)) as engine:
            results = engine.run(requests[:1])
            check(results[requests[0]["id"]]["cached"] == bench.args.prefix_tokens, "the prefix was not loaded")
            proxy.arm(node.status()["load_bytes_ram_total"] // 2, node.kill)
            results.update(engine.run(requests[1:]))
            counts = ours(engine.metrics())
    bench.compare(requests, results)
    print(
        f"  {counts['load_calls']:.0f} layer loads, first token {results[requests[0]['id']]['ttft_s'] * 1e3:.0f} ms; "
        f"after the node was killed {counts['load_failed_blocks']:.0f} block layers failed, output right"
    )
    check(proxy.struck and counts["load_failed_blocks"] > 0, "the load was not cut")


CASES = {"a": case_a, "b": case_b, "c": case_c, "d": case_d, "e": case_e, "f": case_f, "l": case_l}


def parse_arguments():
    lines = [f"  {name}  {case.__doc__}" for name, case in CASES.items()]
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="cases:\n" + "\n".join(lines), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", required=True, help="directory that make_checkpoint.py wrote")
    parser.add_argument("--node", required=True, help="the incipit binary")
    parser.add_argument("--cases", default="".join(CASES), help="letters of the cases to run (default: all)")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--lane", choices=("tcp", "unix"), default="tcp",
                        help="of cases a, b, e and f; the others need a proxy of bytes or a node of their own")
    parser.add_argument("--processes", action="store_true", help="engines as vLLM runs them by default; slow to start")
    parser.add_argument("--prompts", type=int, default=20, help="of case a")
    parser.add_argument("--prefix-tokens", type=int, default=8192, help="shared by prompts; a multiple of 16")
    parser.add_argument("--tail-tokens", type=int, default=72, help="of each prompt's own")
    parser.add_argument("--output-tokens", type=int, default=16)
    parser.add_argument("--soak-requests", type=int, default=100, help="of case f")
    parser.add_argument("--soak-prefix-tokens", type=int, default=2048, help="of case f")
    parser.add_argument("--logs", default="", help="directory for logs (default: a temporary one, kept on failure)")
    args = parser.parse_args()
    if unknown := set(args.cases) - set(CASES):
        parser.error(f"no case {', '.join(sorted(unknown))}")
    if args.prefix_tokens % 16 or args.tail_tokens < 1:
        parser.error("--prefix-tokens must be a multiple of 16, --tail-tokens at least 1")
    return args


def main():
    args = parse_arguments()
    directory = args.logs or tempfile.mkdtemp(prefix="incipit_engines_")
    pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    bench = Bench(args, directory)
    failed = []
    try:
        for name in args.cases:
            print(f"({name}) {CASES[name].__doc__}", flush=True)
            start_s = time.monotonic()
            try:
                CASES[name](bench)
                print(f"  ok, {time.monotonic() - start_s:.0f} s", flush=True)
            except (Failure, RuntimeError, TimeoutError) as error:
                failed.append(name)
                print(f"  FAILED: {error}", flush=True)
    finally:
        bench.close()
    print(f"{len(args.cases) - len(failed)} of {len(args.cases)} cases ok; logs in {directory}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
