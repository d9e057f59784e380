"""Options of the vLLM connector: what is wrong is named before the engine has started."""
from __future__ import annotations

import dataclasses

import pytest
import vllm_stand_in

vllm_stand_in.install()
from incipit.vllm.config import Options, OptionsError  # noqa: E402

GOOD = {"address": "tcp://127.0.0.1:9400"}
NUMBERS = [field.name for field in dataclasses.fields(Options) if field.type is int]
TIMES = [name for name in NUMBERS if name.endswith("_ms")]


def make(**options) -> Options:
    return Options.from_extra_config({**GOOD, **options})


@pytest.mark.parametrize("address", [
    "tcp://127.0.0.1:9400", "tcp://node-1.example.com:1", "tcp://[::1]:9400", "tcp://[fe80::1]:65535",
    "ucx://127.0.0.1:9500", "unix:///run/incipit/node.sock", "unix://@incipit", "unix:///" + "p" * 106,
])
def test_addresses_of_nodes_are_taken(address):
    assert make(address=address).address == address


@pytest.mark.parametrize("address", [
    "", "127.0.0.1:9400", "http://127.0.0.1:9400", "tcp://", "tcp://host", "tcp://host:", "tcp://host:0",
    "tcp://host:65536", "tcp://host:port", "tcp://a host:9400", "tcp://:9400", "tcp://::1:9400", "tcp://host:9400/path",
    "ucx://host", "ucx:///path", "unix://", "unix://relative/path", "unix:///", "unix:///" + "p" * 107,
])
def test_address_that_can_never_be_reached_is_refused(address):
    with pytest.raises(OptionsError, match='"address"'):
        make(address=address)


@pytest.mark.parametrize("codec", ["", "bf16-lossless", "bf16-lossless-fast", "fp8-lossless"])
def test_lossless_codecs_are_taken(codec):
    assert make(codec=codec).codec == codec


@pytest.mark.parametrize("codec", ["fp8", "raw", "zstd", "bf16-lossless "])
def test_codecs_that_are_lossy_or_unknown_are_refused(codec):
    with pytest.raises(OptionsError, match='"codec" must be empty or one of bf16-lossless, bf16-lossless-fast'):
        make(codec=codec)


def test_address_is_needed():
    with pytest.raises(OptionsError, match='"address"'):
        Options.from_extra_config({})


def test_unknown_option_is_named_with_those_there_are():
    with pytest.raises(OptionsError, match=r"'adress', 'ttl'.*address.*tenant"):
        make(ttl=1, adress="tcp://127.0.0.1:9400")


@pytest.mark.parametrize("field", dataclasses.fields(Options), ids=lambda field: field.name)
def test_value_of_another_type_is_refused(field):
    wrong = {str: [1, None, True], bool: [0, 1, "true", None], int: ["1", 1.5, True, None], float: ["1", True, None]}
    for value in wrong[field.type]:
        with pytest.raises(OptionsError, match=f'"{field.name}" must be {field.type.__name__}'):
            make(**{field.name: value})


@pytest.mark.parametrize("name", [*NUMBERS, "prefill_tokens_per_s"])
def test_negative_numbers_are_refused(name):
    with pytest.raises(OptionsError, match=f'"{name}"'):
        make(**{name: -1})


@pytest.mark.parametrize("name", [*TIMES, "load_threads"])
def test_numbers_beyond_all_reason_are_refused(name):
    with pytest.raises(OptionsError, match=f'"{name}"'):
        make(**{name: 1 << 33})


@pytest.mark.parametrize("name", ["deadline_ms", "match_deadline_ms", "store_deadline_ms", "lease_ms", "load_threads"])
def test_zero_is_refused_where_nothing_could_work(name):
    with pytest.raises(OptionsError, match=f'"{name}"'):
        make(**{name: 0})


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -0.5])
def test_rate_must_be_a_number(rate):
    with pytest.raises(OptionsError, match='"prefill_tokens_per_s"'):
        make(prefill_tokens_per_s=rate)


def test_whole_numbers_pass_for_fractions():
    rate = make(prefill_tokens_per_s=7000).prefill_tokens_per_s
    assert rate == 7000.0 and isinstance(rate, float)


@pytest.mark.parametrize("tenant", ["", "x" * 129, "é" * 65])
def test_tenant_must_fit_the_nodes_names(tenant):
    with pytest.raises(OptionsError, match='"tenant"'):
        make(tenant=tenant)


def test_store_buffer_must_hold_something():
    with pytest.raises(OptionsError, match='"store_buffer_bytes"'):
        make(store_buffer_bytes=(1 << 20) - 1)
    assert make(store_buffer_bytes=1 << 20).store_buffer_bytes == 1 << 20


def test_package_needs_neither_engine_nor_torch_for_its_options():
    import incipit.vllm

    assert incipit.vllm.Options is Options
    with pytest.raises(AttributeError, match="NoSuchConnector"):
        getattr(incipit.vllm, "NoSuchConnector")
