"""The plugin fits LMCache's source, which is read and not imported: that would need torch.

The source is an installed lmcache, or the folder INCIPIT_LMCACHE_SOURCE that holds its package: an unpacked wheel.
"""
import __future__

import ast
import importlib.util
import inspect
import json
import os
import pathlib
import re
import types

import pytest
from incipit.lmcache import IncipitConnector, Options
from incipit.lmcache.keys import object_key, scope_of

ROOT = pathlib.Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "engines" / "lmcache.md"
ADAPTERS = "v1/distributed/l2_adapters"
ADAPTER = f"{ADAPTERS}/native_connector_l2_adapter.py"
LOADER = f"{ADAPTERS}/native_plugin_l2_adapter.py"
ASYNCIO_CLIENT = "v1/storage_backend/native_clients/connector_client_base.py"
CLIENT_NAMES = ("self._client", "native_client")  # what these files call the plugin


@pytest.fixture(scope="module")
def source():
    """source(path): the syntax tree of a file of the lmcache package."""
    given = os.environ.get("INCIPIT_LMCACHE_SOURCE")
    spec = None if given else importlib.util.find_spec("lmcache")
    if given:
        package = pathlib.Path(given) / "lmcache"
        assert package.is_dir(), f"INCIPIT_LMCACHE_SOURCE: no folder {package}"
    elif spec is not None:
        package = pathlib.Path(spec.submodule_search_locations[0])
    else:
        pytest.skip("lmcache is not installed and INCIPIT_LMCACHE_SOURCE does not name its source")
    return lambda path: ast.parse((package / path).read_text())


def calls_on_plugin(tree):
    """(method, count of arguments) of every call on the plugin."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if ast.unparse(node.func.value) in CLIENT_NAMES:
                assert not node.keywords
                yield node.func.attr, len(node.args)


def function(tree, name):
    return next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == name)


@pytest.mark.parametrize("path, at_least", [
    (ADAPTER, {"event_fd", "submit_batch_set", "submit_batch_exists", "submit_batch_get", "submit_batch_delete",
               "drain_completions", "close"}),
    (LOADER, {"close"}), (ASYNCIO_CLIENT, {"event_fd", "submit_batch_get", "drain_completions", "close"})],
    ids=["adapter", "loader", "asyncio"])
def test_every_call_that_lmcache_makes_is_answered(source, path, at_least):
    calls = set(calls_on_plugin(source(path)))
    assert at_least <= {method for method, _ in calls}, "the calls were not found: has their form changed?"
    for method, count in calls:
        signature = inspect.signature(getattr(IncipitConnector, method))
        signature.bind(None, *range(count))  # TypeError if they do not fit


def test_methods_that_the_loader_demands_exist(source):
    lists = [ast.literal_eval(node.value) for node in ast.walk(source(LOADER)) if isinstance(node, ast.Assign)
             and ast.unparse(node.targets[0]) == "required_methods"]
    assert len(lists) == 1 and "drain_completions" in lists[0]
    for method in lists[0]:
        assert callable(getattr(IncipitConnector, method))


@pytest.mark.parametrize("path, routine", [(ADAPTER, "_demux_loop"), (ASYNCIO_CLIENT, "_on_ready")],
                         ids=["adapter", "asyncio"])
def test_completions_have_the_fields_that_are_unpacked(source, path, routine):
    unpacked = [ast.unparse(node.target) for node in ast.walk(function(source(path), routine))
                if isinstance(node, ast.For) and isinstance(node.target, ast.Tuple)]
    assert "(future_id, ok, error, result_bools)" in unpacked


def test_configuration_of_the_page_is_what_the_loader_reads(source):
    keys_read = {node.args[0].value for node in ast.walk(function(source(LOADER), "from_dict"))
                 if isinstance(node, ast.Call) and ast.unparse(node.func) == "d.get"}
    assert {"module_path", "class_name", "adapter_params"} <= keys_read
    configured = page_configuration()
    assert set(configured) <= keys_read | {"type"}


def page_configuration():
    text, = re.findall(r"--l2-adapter '(\{.*?\})'", PAGE.read_text(), re.DOTALL)
    return json.loads(text)


def test_configuration_of_the_page_makes_a_plugin():
    configured = page_configuration()
    module = importlib.import_module(configured["module_path"])
    assert configured["type"] == "native_plugin" and getattr(module, configured["class_name"]) is IncipitConnector
    Options.from_parameters(configured["adapter_params"])


def test_options_of_the_page_are_those_of_the_plugin():
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| ", PAGE.read_text().split("## How it works")[0], re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(names) == sorted(Options.__dataclass_fields__)


def test_key_strings_are_read_as_lmcache_writes_them(source):
    """With LMCache's own function, taken out of its module."""
    tree = source(ADAPTER)
    separator = next(node for node in tree.body if isinstance(node, ast.Assign)
                     and ast.unparse(node.targets[0]) == "_KEY_SEP")
    module = ast.Module([separator, function(tree, "_object_key_to_string")], type_ignores=[])
    names: dict = {}
    exec(compile(module, "lmcache", "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True), names)
    fields = {"model_name": "deepseek-ai/v3", "kv_rank": 1, "object_group_id": 2, "chunk_hash": bytes(32),
              "cache_salt": ""}

    def text(**changes):
        return names["_object_key_to_string"](types.SimpleNamespace(**{**fields, **changes}))

    others = [text(model_name="other"), text(kv_rank=2), text(object_group_id=3), text(chunk_hash=b"\1" * 32),
              text(cache_salt="a"), text(cache_salt="b")]
    assert len({object_key(key) for key in [text(), *others]}) == 7
    scopes = [scope_of(key) for key in [text(), *others]]
    assert scopes == ["deepseek-ai/v3@2", "other@2", "deepseek-ai/v3@2", "deepseek-ai/v3@3"] + scopes[:1] * 3
