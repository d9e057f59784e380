"""Statistics of the vLLM connector: sums that steps, ranks and both sides add up to, and their Prometheus counters."""
from __future__ import annotations

import threading
import types

import pytest
import vllm_stand_in

REAL = vllm_stand_in.install()
from incipit.vllm.stats import COUNTERS, IncipitPromMetrics, IncipitStats, Recorder  # noqa: E402


def test_recorder_gives_what_has_gathered_once():
    recorder = Recorder()
    assert recorder.take() is None
    recorder.add(load_calls=1, load_us=1500.7)
    recorder.add(load_calls=2)
    assert recorder.take().data == {"load_calls": 3, "load_us": 1500}
    assert recorder.take() is None


def test_threads_lose_no_counts():
    recorder = Recorder()
    threads = [
        threading.Thread(target=lambda: [recorder.add(store_calls=1, store_bytes=10) for _ in range(500)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    taken = []
    while any(thread.is_alive() for thread in threads):
        taken.append(recorder.take())
    for thread in threads:
        thread.join()
    taken.append(recorder.take())
    total = IncipitStats()
    for stats in filter(None, taken):
        total.aggregate(stats)
    assert total.data == {"store_calls": 2000, "store_bytes": 20000}


def test_statistics_of_both_sides_add_up():
    worker, scheduler = IncipitStats(data={"load_calls": 2, "load_us": 10}), IncipitStats(data={"match_calls": 1})
    total = worker.aggregate(scheduler).aggregate(IncipitStats(data={"load_calls": 1}))
    assert total.data == {"load_calls": 3, "load_us": 10, "match_calls": 1}
    assert scheduler.data == {"match_calls": 1}


def test_log_line_has_means():
    stats = IncipitStats(data={"load_calls": 4, "load_us": 10000, "load_bytes": 7, "store_us": 5})
    assert stats.reduce() == {
        "load_calls": 4, "load_us": 10000, "load_bytes": 7, "store_us": 5, "load_mean_ms": 2.5
    }
    assert IncipitStats().reduce() == {}


def test_statistics_are_empty_until_something_happens():
    stats = IncipitStats()
    assert stats.is_empty() and IncipitStats(data={"load_calls": 0}).is_empty()
    stats.aggregate(IncipitStats(data={"load_calls": 1}))
    assert not stats.is_empty()
    stats.reset()
    assert stats.is_empty()


class PlayedCounter:
    """prometheus_client.Counter as far as it is used."""

    made: dict[str, dict] = {}

    def __init__(self, name, documentation, labelnames):
        assert documentation and labelnames == ["model_name", "engine"]
        assert name not in self.made
        self.values = self.made[name] = {}

    def labels(self, *labels):
        return types.SimpleNamespace(inc=lambda value: self.values.update({labels: self.values.get(labels, 0) + value}))


def test_counters_are_kept_by_engine(monkeypatch):
    counter = PlayedCounter
    if REAL:
        from prometheus_client import Counter, Gauge, Histogram

        types_of_metrics = {Counter: counter, Gauge: None, Histogram: None}
    else:
        types_of_metrics = {"Counter": counter}
    monkeypatch.setattr(counter, "made", {})
    config = types.SimpleNamespace(kv_transfer_config=None)
    metrics = IncipitPromMetrics(config, types_of_metrics, ["model_name", "engine"], {0: ["m", "0"], 1: ["m", "1"]})
    assert set(counter.made) == {f"vllm:incipit_{name}" for name in COUNTERS}
    metrics.observe({"load_calls": 2, "load_bytes": 0, "of_another_version": 5})
    metrics.observe({"load_calls": 3}, engine_idx=1)
    metrics.observe({"load_calls": 1})
    assert counter.made["vllm:incipit_load_calls"] == {("m", "0"): 3, ("m", "1"): 3}
    assert counter.made["vllm:incipit_load_bytes"] == {}


def test_counters_are_what_prometheus_takes():
    prometheus_client = pytest.importorskip("prometheus_client", reason="needs prometheus_client")
    registry = prometheus_client.CollectorRegistry()

    def counter(name, documentation, labelnames):
        return prometheus_client.Counter(name, documentation, labelnames, registry=registry)

    kinds = {prometheus_client.Counter: counter, prometheus_client.Gauge: None, prometheus_client.Histogram: None}
    kinds["Counter"] = counter
    config = types.SimpleNamespace(kv_transfer_config=None)
    metrics = IncipitPromMetrics(config, kinds, ["model_name", "engine"], {0: ["m", "0"]})
    metrics.observe(dict.fromkeys(COUNTERS, 7))
    page = prometheus_client.generate_latest(registry).decode()
    for name in COUNTERS:
        assert f'vllm:incipit_{name}_total{{engine="0",model_name="m"}} 7.0' in page


def test_recorded_names_are_published():
    """A name that is counted and not in COUNTERS would be lost silently."""
    import pathlib
    import re

    import incipit.vllm.stats

    folder = pathlib.Path(incipit.vllm.stats.__file__).parent
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    calls = re.findall(r"recorder\.add\((.*?)\)\n", source, re.DOTALL)
    recorded = {name for call in calls for name in re.findall(r"(\w+)=", call)}
    assert recorded == set(COUNTERS)
