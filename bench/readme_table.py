#!/usr/bin/env python3
"""Prints the results in build/bench/ of the named workloads as a Markdown table; bench/run_readme.sh makes them."""
import json
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def load(*parts):
    with open(os.path.join(ROOT, *parts), encoding="utf-8") as file:
        return json.load(file)


def row(name):
    title = load("bench", "workloads", name + ".json")["title"]
    result = load("build", "bench", name + ".json")
    if "error" in result:
        return f"| {title} | failed: {result['error']['message'].splitlines()[0]} | | | | |"
    ceiling = result["ceiling"]
    against = f"{ceiling['value']:g} {ceiling['unit']}: {ceiling['name']}" if ceiling else "–"
    ratio = "–"
    if result["ratio"] is not None:
        low, high = result["ratio_range"]
        ratio = f"{result['ratio']:.2f} [{low:.2f}–{high:.2f}]"
    target = result.get("target", {})
    met = {True: "met", False: "missed", None: "–"}[target.get("met")]
    return f"| {title} | {result['value']:g} {result['unit']} | {against} | {ratio} | {met} | {result['wrong_bytes']} |"


def main():
    print("| what | median | ceiling | ratio [pairs] | target | wrong bytes |")
    print("|---|---|---|---|---|---|")
    for name in sys.argv[1:]:
        print(row(name))


if __name__ == "__main__":
    main()
