"""Compiles every module once, so that in a fresh clone the test processes need not each compile all of them."""

import compileall
import fnmatch
import multiprocessing
import os
import sys
from pathlib import Path

import pytest
from _pytest.assertion import rewrite

ROOT = Path(__file__).parents[2]
FOLDERS = ("src", "clients/python/src", "benchmarks", "tests")


def compile_all(config: pytest.Config) -> None:
    """Writes missing or outdated bytecode, on all processors. Tests are compiled with pytest's assertion rewriting."""
    if sys.dont_write_bytecode:
        return
    paths = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    context = multiprocessing.get_context("fork")
    count = os.cpu_count() or 1
    processes = [context.Process(target=_compile, args=(config, paths[first::count])) for first in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def _compile(config: pytest.Config, paths: list[Path]) -> None:
    patterns = ["conftest.py", *config.getini("python_files")]
    for path in paths:
        if any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns):
            _compile_test(config, path)
        else:
            compileall.compile_file(path, quiet=2)


def _compile_test(config: pytest.Config, path: Path) -> None:
    """Does what pytest does when it imports a test module for the first time."""
    folder = rewrite.get_cache_dir(path)
    bytecode = folder / (path.stem + rewrite.PYC_TAIL)
    if rewrite._read_pyc(path, bytecode) is not None:
        return
    try:
        source, code = rewrite._rewrite_test(path, config)
    except SyntaxError:
        return  # collection reports the error
    if rewrite.try_makedirs(folder):
        rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, source, bytecode)
