"""What counts as the source of user-defined code, found without running any of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablation.errors import Refused
from ablation.task.sources import gather_sources, imports_of, source_hash, source_of

CODE = """
def train(config, seed):
    for epoch in range(3):
        yield {"loss": f"{epoch!r:>{seed}}" + 'a', "b": (1,
            2)}
"""

ALIKE = [
    '"""What it is for."""' + CODE,
    "# A comment.\n\n\n" + CODE,
    CODE.replace("    for", '    """Trains."""\n\n    for'),
    CODE.replace("3):", "3):  # epochs"),
    CODE.replace("    ", "\t"),
    CODE.replace("            2", "  2  # two\n"),
    CODE + "\nstudy = Study(\n    caveats=['Small.'],\n)\n",
    CODE + "\nstudy: spec.Study = spec.Study(caveats=())\n",
]
OTHER = [
    CODE.replace("3", "4"),
    CODE.replace("{epoch!r", "{epoch!s"),
    CODE.replace("{seed}", "{epoch}"),
    CODE.replace("'a'", '"a"'),
    CODE.replace('"loss"', '"less"'),
    CODE.replace("    for", "    seed = 'x'\n    for"),
    CODE.replace("        yield", "    yield"),
    CODE + "\nstudy = optuna.create_study()\n",
    CODE + "\nother = Study(caveats=())\n",
]


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "same"), [(t, True) for t in ALIKE] + [(t, False) for t in OTHER]
)
def test_comments_docstrings_blank_lines_and_the_study_do_not_count(
    tmp_path: Path, text: str, same: bool
) -> None:
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text(CODE)
    two.write_text(text)
    assert (source_hash(one) == source_hash(two)) is same


def test_the_hash_is_the_same_in_every_version_of_python(tmp_path: Path) -> None:
    """Versions differ in the tokens of f-strings; a hash seen once must not move."""
    path = tmp_path / "one.py"
    path.write_text(CODE)
    assert source_hash(path) == "a411f06c450b"


@given(
    st.lists(st.sampled_from(["", "# note", "    # note", '"""Text."""', "'text'"]), max_size=6)
)
def test_lines_that_do_nothing_change_nothing(lines: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        one, two = Path(folder) / "one.py", Path(folder) / "two.py"
        one.write_text(CODE)
        two.write_text("\n".join(lines) + CODE + "\n".join(line.strip() for line in lines))
        assert source_hash(one) == source_hash(two)


FILES = {
    "shop/__init__.py": "from .train import run\n",
    "shop/train.py": "def run(config, seed):\n    from .deep import core\n    import beside\n",
    "shop/deep/__init__.py": "",
    "shop/deep/core.py": "import shop.loop, numpy as np, os.path\nimport torch.nn\n",
    "shop/loop.py": "from . import train\nfrom shop.deep.core import something\n",
    "shop/unused.py": "1 / 0\n",
    "beside.py": "raise SystemExit('this must never run')\n",
    "unused.py": "",
    "studies/own.py": "import parts.layer\nfrom shop import run\nimport ablation.spec\n",
    "studies/parts/layer.py": "from sklearn.svm import SVC\n",
}


def test_every_import_is_followed_and_nothing_else(tmp_path: Path) -> None:
    root = written(tmp_path, FILES)
    file = root / "studies/own.py"
    found = gather_sources("own", file, [root, root / "studies"])
    assert list(found.hashes) == [
        "beside.py", "own.py", "parts/layer.py", "shop/__init__.py", "shop/deep/__init__.py",
        "shop/deep/core.py", "shop/loop.py", "shop/train.py",
    ]  # fmt: skip
    assert found.installed == ("numpy", "sklearn", "torch")
    without = gather_sources("own", file, [])
    assert list(without.hashes) == ["own.py", "parts/layer.py"]
    for name in found.hashes:
        path = root / name if (root / name).exists() else root / "studies" / name
        path.write_text(f"{path.read_text()}changed = True\n")
        again = gather_sources("own", file, [root, root / "studies"])
        assert {name} == {n for n in found.hashes if again.hashes[n] != found.hashes[n]}
        found = again


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("import a.b, c as d", ["a.b", "c"]),
        ("from a import b, c", ["a.b", "a.c"]),
        ("from . import x", ["pkg.sub.x"]),
        ("from .y import x", ["pkg.sub.y.x"]),
        ("from .. import x", ["pkg.x"]),
        ("from ..z import *", ["pkg.z.*"]),
        ("from ...far import x", ["far.x"]),
        ("def f():\n    if 1:\n        import late", ["late"]),
        ("import ablation.spec", []),
    ],
)
def test_imports_are_absolute_names(tmp_path: Path, line: str, names: list[str]) -> None:
    (tmp_path / "module.py").write_text(line)
    assert imports_of("pkg.sub.module", tmp_path / "module.py") == names


def test_a_class_of_a_package_stands_for_the_modules_that_it_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = written(tmp_path, {f"of_{name}": text for name, text in FILES.items()})
    (root / "of_shop/train.py").write_text("import of_beside\n")
    monkeypatch.syspath_prepend(root)
    kept = source_of("of_shop.train:Pooling")
    assert kept is not None
    assert list(json.loads(kept)) == ["of_beside.py", "of_shop/__init__.py", "of_shop/train.py"]


def test_installed_packages_are_not_read_from_a_module_beside_them() -> None:
    assert list(json.loads(source_of("typing_extensions:Any") or "")) == ["typing_extensions.py"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("def train(:\n", "line 1, is not valid Python"), (None, "cannot be found as Python source")],
)
def test_what_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "broken_source.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Refused, match=message):
        source_of("broken_source:Pooling")
