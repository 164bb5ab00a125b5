"""The examples in docstrings are true: each runs, and every package has some."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent.parent / "src"
MODULES = {
    ".".join(path.relative_to(SOURCES).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(SOURCES.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
}
LEAST = 2
EXEMPT = ("figures", "report", "stats")
"""Packages that may have fewer examples."""
PACKAGES = sorted(
    path.parent.name
    for path in SOURCES.glob("ablation/*/__init__.py")
    if path.parent.name not in EXEMPT
)


def examples_of(module: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder().find(importlib.import_module(module))
    return [test for test in found if test.examples]


@pytest.mark.parametrize("module", MODULES)
def test_examples_are_true(module: str) -> None:
    tests = examples_of(module)
    assert tests, f"{module} has an example that doctest does not find"
    for test in tests:
        runner = doctest.DocTestRunner(verbose=False)
        report: list[str] = []
        assert not runner.run(test, out=report.append).failed, "".join(report)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_has_examples(package: str) -> None:
    home = f"ablation.{package}"
    modules = [name for name in MODULES if name == home or name.startswith(f"{home}.")]
    assert sum(len(examples_of(module)) for module in modules) >= LEAST
