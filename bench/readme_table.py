#!/usr/bin/env python3
"""Prints the results in build/bench/ of the named workloads as a Markdown table; bench/run_readme.sh makes them."""
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def load(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return json.load(file)


def spread(result, name):
    low, high = result[name + "_range"]
    return f"{result[name]:.2f} [{low:.2f}–{high:.2f}]"


def ratio_of(result):
    if result["op"] == "codec":
        ways = f"decode {spread(result, 'decode_to_memcpy')}, encode {spread(result, 'encode_to_memcpy')}"
        return f"{ways}; stored 1/{result['ratio']:.3f}"
    return "–" if result["ratio"] is None else spread(result, "ratio")


def row(name):
    workload = load("bench", "workloads", name + ".json")
    # Defaults are left out: what is shown does the same.
    command = f"`{' '.join(workload['arguments']).replace(' --lane tcp', '').replace(' --spawn', '')}`"
    title = f"{workload['title']} | {command}"
    result = load("build", "bench", name + ".json")
    if "error" in result:
        return f"| {title} | failed: {result['error']['message'].splitlines()[0]} | | | | | |"
    ceiling = result["ceiling"]
    against = f"{ceiling['value']:g} {ceiling['unit']}: {ceiling['name']}" if ceiling else "–"
    target = result.get("target", {})
    met = {True: "met", False: "missed", None: "–"}[target.get("met")]
    cells = [title, f"{result['value']:g} {result['unit']}", against, ratio_of(result), met, result["wrong_bytes"]]
    return f"| {' | '.join(map(str, cells))} |"


def main():
    print("| what | `incipit` with | median | ceiling | ratio [pairs] | target | wrong bytes |")
    print("|---|---|---|---|---|---|---|")
    for name in sys.argv[1:]:
        print(row(name))


if __name__ == "__main__":
    main()
