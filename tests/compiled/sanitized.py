"""Runs the tests of a request with a module that was built to watch its own memory; for test_build.py."""

import importlib.util
import sys

import pytest

TESTS = ("test_hit.py", "test_coroutine.py", "test_same.py", "test_bounds.py", "test_limits.py")


def main(path: str) -> int:
    """Load the module at `path` in the place of the one that was built, and run them; answers pytest's code."""
    spec = importlib.util.spec_from_file_location("gatepost.compiled._hit", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    plugins = ("-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin", "-p", "pytest_timeout")
    chosen = ("-k", "not nothing_is_left")  # under PYTHONMALLOC=malloc there is nothing to count
    return int(pytest.main(["-q", "-x", *plugins, *chosen, *(f"tests/compiled/{name}" for name in TESTS)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
