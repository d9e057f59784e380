#!/usr/bin/env python3
"""One vLLM engine as a process of its own, told what to do line by line.

Reads one JSON object a line from standard input and answers on the descriptor --answers-fd, one JSON object a line:
  {"run": [{"id": ..., "prompt": [token ids], "tokens": n}, ...], "concurrency": n}
      -> {"finished": id, "tokens": [...], "cached": n, "prompt": n, "ttft_s": s, "rss_bytes": n} for each,
         then {"ran": n}
  {"metrics": true} -> {"metrics": {name: value}}: the counters that vLLM publishes, ours among them
  {"stop": true}    -> the process ends
"""

import argparse
import ctypes
import json
import os
import sys
import time


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--connector", default="", help="JSON for kv_transfer_config; none if empty")
    parser.add_argument("--dtype", default="float32", help="of the weights' copy in memory and of the cache")
    parser.add_argument("--max-model-len", type=int, default=12288)
    parser.add_argument("--step-tokens", type=int, default=8192, help="most tokens of one step")
    parser.add_argument("--cache-blocks", type=int, default=0, help="size of the engine's own cache; 0 = by memory")
    parser.add_argument("--processes", action="store_true", help="scheduler and worker in processes of their own")
    parser.add_argument("--answers-fd", type=int, required=True)
    return parser.parse_args()


def make_engine(args):
    options = {}
    if not args.processes:
        # One process starts several times faster; the connector's two sides stay separate objects.
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
        options["distributed_executor_backend"] = "uni"
    from vllm import LLM

    if args.connector:
        options["kv_transfer_config"] = json.loads(args.connector)
    if args.cache_blocks:
        options["num_gpu_blocks_override"] = args.cache_blocks
    return LLM(
        model=args.checkpoint,
        skip_tokenizer_init=True,
        enforce_eager=True,
        dtype=args.dtype,
        enable_prefix_caching=False,  # every hit is the tier's
        max_model_len=args.max_model_len,
        max_num_batched_tokens=args.step_tokens,
        max_num_seqs=8,
        disable_log_stats=False,
        # vLLM 0.32's rotary kernel for CPUs takes MLA's keys, which are a slice of a wider tensor, for contiguous: it
        # rotates the wrong memory, differently for each number of tokens in a step. Its PyTorch version is right.
        compilation_config={"custom_ops": ["all", "-rotary_embedding"]},
        **options,
    )


def rss_bytes():
    """Resident memory in use: what the allocator only keeps for later is given back first. Otherwise the largest step
    so far decides, such as that which computes what eight failed loads were to bring."""
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Runner:
    def __init__(self, engine, answer):
        self.engine = engine
        self.answer = answer

    def run(self, requests, concurrency):
        from vllm import SamplingParams

        waiting, started = list(reversed(requests)), {}
        first_token_s = {}
        while waiting or started:
            while waiting and len(started) < concurrency:
                request = waiting.pop()
                request_id = str(request["id"])
                started[request_id] = time.monotonic()
                params = SamplingParams(
                    temperature=0.0, max_tokens=request["tokens"], ignore_eos=True, detokenize=False
                )
                prompt = {"prompt_token_ids": request["prompt"]}
                if request.get("salt"):
                    prompt["cache_salt"] = request["salt"]
                self.engine.add_request(request_id, prompt, params)
            for output in self.engine.step():
                if output.outputs and output.outputs[0].token_ids:
                    first_token_s.setdefault(output.request_id, time.monotonic())
                if output.finished:
                    self._finished(output, started.pop(output.request_id), first_token_s.pop(output.request_id, None))
        self.answer({"ran": len(requests)})

    def _finished(self, output, start_s, first_token_s):
        self.answer(
            {
                "finished": output.request_id,
                "tokens": list(output.outputs[0].token_ids),
                "reason": output.outputs[0].finish_reason,
                "cached": output.num_cached_tokens,
                "prompt": len(output.prompt_token_ids),
                "ttft_s": None if first_token_s is None else first_token_s - start_s,
                "total_s": time.monotonic() - start_s,
                "rss_bytes": rss_bytes(),
            }
        )


def metrics(llm):
    values = {}
    for metric in llm.get_metrics():
        value = getattr(metric, "value", None)
        if value is None:
            value = getattr(metric, "sum", None)
        if value is not None:
            values[metric.name] = values.get(metric.name, 0) + value
    return values


def main():
    args = parse_arguments()
    answers = os.fdopen(args.answers_fd, "w", buffering=1)

    def answer(value):
        answers.write(json.dumps(value) + "\n")
        answers.flush()

    start_s = time.monotonic()
    llm = make_engine(args)
    answer({"ready": True, "start_s": time.monotonic() - start_s})
    runner = Runner(llm.llm_engine, answer)
    for line in sys.stdin:
        command = json.loads(line)
        if "run" in command:
            runner.run(command["run"], command.get("concurrency", 1))
        elif "metrics" in command:
            # Counters travel with the outputs of steps; what a store counted since arrives with the next one.
            llm.llm_engine.do_log_stats()
            answer({"metrics": metrics(llm)})
        elif "stop" in command:
            break
    llm.llm_engine.engine_core.shutdown()
    answer({"stopped": True})


if __name__ == "__main__":
    main()
