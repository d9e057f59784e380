"""The package says what it offers: docstrings, stubs, types."""
import importlib.util
import inspect
import pathlib
import subprocess
import sys

import incipit
import pytest

PACKAGE = pathlib.Path(incipit.__file__).parent


def public_members(cls):
    for name, member in vars(cls).items():
        if not name.startswith("_") and (callable(member) or isinstance(member, (property, staticmethod))
                                         or inspect.isdatadescriptor(member)):
            yield name, member


def test_every_public_name_has_a_docstring():
    missing = []
    for name in incipit.__all__:
        thing = getattr(incipit, name)
        if not inspect.getdoc(thing):
            missing.append(name)
        if not issubclass(thing, (tuple, int, Exception)):
            missing += [f"{name}.{member}" for member, value in public_members(thing) if not inspect.getdoc(value)]
    assert missing == []


def test_all_exceptions_are_incipit_errors():
    errors = [getattr(incipit, name) for name in incipit.__all__ if issubclass(getattr(incipit, name), Exception)]
    assert len(errors) == 9 and all(issubclass(error, incipit.IncipitError) for error in errors)


def test_stubs_and_type_marker_are_installed():
    assert (PACKAGE / "py.typed").exists()
    stub = (PACKAGE / "_core.pyi").read_text()
    compile(stub, "_core.pyi", "exec")
    for name in incipit.__all__:
        if getattr(incipit, name).__module__ == "incipit._core":
            assert f"class {name}" in stub


def test_stubs_are_those_of_this_build(tmp_path):
    if importlib.util.find_spec("nanobind") is None:
        pytest.skip("nanobind is not installed: no stubs to compare with")
    fresh = tmp_path / "fresh.pyi"
    subprocess.run([sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "incipit._core", "-o", fresh], check=True)
    assert fresh.read_text() == (PACKAGE / "_core.pyi").read_text()


def test_version_is_that_of_the_metadata():
    from importlib.metadata import version
    assert version("incipit") == incipit.__version__
