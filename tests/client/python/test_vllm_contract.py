"""The connector against the interface of the vLLM there is: installed, or as sources in INCIPIT_VLLM_SOURCE."""
from __future__ import annotations

import ast
import importlib.util
import os
import pathlib

import pytest
import vllm_stand_in

import incipit

ENGINE = pathlib.Path("distributed/kv_transfer/kv_connector/v1")
BASES = {"KVConnectorBase_V1": ENGINE / "base.py", "SupportsHMA": ENGINE / "base.py"}
OURS = pathlib.Path(incipit.__file__).parent / "vllm" / "connector.py"
# What may be handed over beyond the methods: names that vLLM looks up on the class or the module.
NOT_OF_THE_INTERFACE = {"__init__"}


def engine_source() -> pathlib.Path | None:
    """The folder of the package vllm."""
    given = os.environ.get("INCIPIT_VLLM_SOURCE")
    if given:
        folder = pathlib.Path(given)
        return folder / "vllm" if (folder / "vllm").is_dir() else folder
    spec = importlib.util.find_spec("vllm")
    return pathlib.Path(spec.origin).parent if spec is not None and spec.origin else None


@pytest.fixture(scope="module")
def interface() -> dict[str, ast.FunctionDef]:
    """Methods of the base classes."""
    folder = engine_source()
    if folder is None or not (folder / ENGINE).is_dir():
        pytest.skip("needs vLLM, or its sources in INCIPIT_VLLM_SOURCE")
    found = {}
    for name, path in BASES.items():
        found.update(methods(folder / path, name))
    return found


def methods(path: pathlib.Path, class_name: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse(path.read_text())
    (found,) = [each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == class_name]
    return {each.name: each for each in found.body if isinstance(each, ast.FunctionDef)}


def decorators(method: ast.FunctionDef) -> set[str]:
    return {each.id for each in method.decorator_list if isinstance(each, ast.Name)}


@pytest.fixture(scope="module")
def ours() -> dict[str, ast.FunctionDef]:
    return methods(OURS, "IncipitConnector")


def test_every_abstract_method_is_there(interface, ours):
    abstract = {name for name, method in interface.items() if "abstractmethod" in decorators(method)}
    assert len(abstract) >= 8 and abstract <= set(ours)


def test_every_method_overrides_one(interface, ours):
    assert set(ours) - NOT_OF_THE_INTERFACE <= set(interface)


def test_methods_take_what_the_engine_gives(interface, ours):
    """Same parameters in the same order: the engine passes some by name."""
    for name in set(ours) - NOT_OF_THE_INTERFACE:
        theirs, mine = interface[name].args, ours[name].args
        assert [each.arg for each in mine.posonlyargs + mine.args] == [
            each.arg for each in theirs.posonlyargs + theirs.args
        ], name
        assert len(mine.defaults) >= len(theirs.defaults), name
        assert (mine.kwarg is not None) >= (theirs.kwarg is not None), name
        assert {each.arg for each in theirs.kwonlyargs} <= {each.arg for each in mine.kwonlyargs}, name


def test_methods_are_of_the_same_kind(interface, ours):
    kinds = {"property", "classmethod", "staticmethod"}
    for name in set(ours) - NOT_OF_THE_INTERFACE:
        assert decorators(ours[name]) & kinds == decorators(interface[name]) & kinds, name


def test_class_is_found_as_the_engine_looks_for_it():
    vllm_stand_in.need_vllm()
    import inspect

    from vllm.distributed.kv_transfer.kv_connector.factory import KVConnectorFactory
    from vllm.distributed.kv_transfer.kv_connector.v1 import KVConnectorBase_V1, supports_hma

    from vllm.config import KVTransferConfig

    config = KVTransferConfig(
        kv_connector="IncipitConnector", kv_connector_module_path="incipit.vllm", kv_role="kv_both"
    )
    found = KVConnectorFactory.get_connector_class(config)
    assert issubclass(found, KVConnectorBase_V1) and supports_hma(found)
    assert KVConnectorFactory.supports_hma_config(config)
    assert not inspect.isabstract(found)


def test_outputs_and_metadata_have_the_fields_that_are_read():
    vllm_stand_in.need_vllm()
    import dataclasses

    from vllm.v1.core.sched.output import CachedRequestData, KVConnectorBlockState, NewRequestData, SchedulerOutput
    from vllm.v1.outputs import KVConnectorOutput

    read = {
        SchedulerOutput: {
            "scheduled_new_reqs", "scheduled_cached_reqs", "num_scheduled_tokens", "scheduled_spec_decode_tokens",
            "kv_connector_block_state",
        },
        NewRequestData: {"req_id", "num_computed_tokens"},
        CachedRequestData: {"req_ids", "num_computed_tokens"},
        KVConnectorOutput: {"finished_recving", "failed_recving", "invalid_block_ids"},
    }
    for holder, names in read.items():
        assert names <= {field.name for field in dataclasses.fields(holder)}, holder
    assert callable(KVConnectorBlockState.get_block_ids)
