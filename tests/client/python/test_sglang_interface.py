"""The backend against the source of SGLang itself: nothing of it is imported, so it needs neither torch nor a GPU.

INCIPIT_SGLANG_SOURCE is a folder with an unpacked wheel: pip download --no-deps sglang==0.5.23, then unzip. Without it
an installed SGLang is taken.
"""
import ast
import importlib.util
import inspect
import os
import pathlib

import pytest
import sglang_pools as sgl

from incipit.sglang import IncipitHiCacheStorage, config, hits

# What the engine asks for with hasattr() or getattr() first.
OPTIONAL = {"describe_l3_object_layout"}


def package_folder():
    """Of SGLang's sources, or None."""
    if "INCIPIT_SGLANG_SOURCE" in os.environ:
        return pathlib.Path(os.environ["INCIPIT_SGLANG_SOURCE"]) / "sglang"
    found = importlib.util.find_spec("sglang")
    return None if found is None else pathlib.Path(next(iter(found.submodule_search_locations)))


ROOT = package_folder()
if ROOT is None:
    pytest.skip("no SGLang: set INCIPIT_SGLANG_SOURCE to an unpacked wheel of it", allow_module_level=True)


def source(path):
    """The syntax tree of a file of the package, named from sglang/srt/."""
    return ast.parse((ROOT / "srt" / path).read_text())


def class_of(tree, name):
    return next(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name)


def methods_of(tree, name):
    return {node.name: node for node in class_of(tree, name).body if isinstance(node, ast.FunctionDef)}


def fields_of(tree, name):
    return {node.target.id for node in class_of(tree, name).body if isinstance(node, ast.AnnAssign)}


def values_of(tree, name):
    return {node.value.value for node in class_of(tree, name).body if isinstance(node, ast.Assign)}


def strings_popped(tree, name):
    """Constant keys that `name`.pop() is called with."""
    return {node.args[0].value for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "pop"
            and isinstance(node.func.value, ast.Name) and node.func.value.id == name
            and node.args and isinstance(node.args[0], ast.Constant)}


def test_every_method_takes_what_the_abstract_class_says():
    expected = methods_of(source("mem_cache/hicache_storage.py"), "HiCacheStorage")
    assert len(expected) >= 15
    for name, method in expected.items():
        parameters = inspect.signature(getattr(IncipitHiCacheStorage, name)).parameters
        required = len(method.args.args) - len(method.args.defaults)
        assert list(parameters) == [argument.arg for argument in method.args.args], name
        for index, parameter in enumerate(parameters.values()):
            assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            assert (parameter.default is parameter.empty) == (index < required), f"{name}: {parameter}"


def test_every_abstract_method_is_there():
    methods = methods_of(source("mem_cache/hicache_storage.py"), "HiCacheStorage")
    abstract = {name for name, method in methods.items()
                if any(isinstance(one, ast.Name) and one.id == "abstractmethod" for one in method.decorator_list)}
    assert abstract and abstract <= set(vars(IncipitHiCacheStorage))


def test_the_factory_constructs_with_what_the_backend_takes():
    factory = methods_of(source("mem_cache/storage/backend_factory.py"), "StorageBackendFactory")
    calls = [node for node in ast.walk(factory["_create_dynamic_backend"]) if isinstance(node, ast.Call)
             and isinstance(node.func, ast.Name) and node.func.id == "backend_class"]
    assert [ast.unparse(call) for call in calls] == ["backend_class(storage_config, kwargs)"]
    storage = IncipitHiCacheStorage(sgl.Config({"address": "tcp://127.0.0.1:1"}), {})
    storage.close()


@pytest.mark.parametrize("path", [
    "managers/cache_controller.py", "mem_cache/hybrid_cache/hybrid_cache_controller.py",
    "mem_cache/unified_radix_cache.py"])
def test_whatever_the_engine_calls_is_there(path):
    called = {node.attr for node in ast.walk(source(path)) if isinstance(node, ast.Attribute)
              and isinstance(node.value, ast.Attribute) and node.value.attr == "storage_backend"}
    assert called
    assert not {name for name in called - OPTIONAL if not callable(getattr(IncipitHiCacheStorage, name, None))}


def test_what_the_backend_reads_is_there():
    tree = source("mem_cache/hicache_storage.py")
    assert {field for field in vars(sgl.Config({})) } <= fields_of(tree, "HiCacheStorageConfig")
    assert fields_of(tree, "PoolTransfer") >= {"name", "keys", "host_indices", "hit_policy"}
    assert "prefix_keys" in fields_of(tree, "HiCacheStorageExtraInfo")
    result = fields_of(tree, "PoolTransferResult")
    assert result == {"kv_hit_pages", "extra_pool_hit_pages", "restorable_prefix_pages"}
    metrics = fields_of(source("observability/metrics_collector.py"), "StorageMetrics")
    assert metrics >= {"prefetch_pgs", "backup_pgs", "prefetch_bandwidth", "backup_bandwidth"}


def test_every_hit_policy_is_known():
    policies = values_of(source("mem_cache/hicache_storage.py"), "PoolHitPolicy")
    assert len(policies) >= 2
    for policy in policies:
        hits.restorable(policy, b"\1", 1)
    with pytest.raises(ValueError, match="not supported"):
        hits.restorable("another", b"\1", 1)


def test_the_engines_own_options_are_not_refused():
    own = strings_popped(source("mem_cache/hybrid_cache/hybrid_cache_controller.py"), "extra_config")
    own |= strings_popped(source("managers/cache_controller.py"), "storage_backend_extra_config")
    assert len(own) >= 5 and own <= config.ENGINE_KEYS


def test_pages_are_moved_in_place_if_interface_v1_is_set():
    attach = methods_of(source("managers/cache_controller.py"), "HiCacheController")["attach_storage_backend"]
    assert "self.storage_config.extra_config.get('interface_v1', 0)" in ast.unparse(attach)
