"""A cut of `make chaos`: a study that is killed again and again loses and doubles nothing."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).parent.parent / "benchmarks/chaos.py"


@pytest.mark.slow
def test_a_study_that_is_killed_again_and_again_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.spec_from_file_location("chaos", CHAOS)
    assert spec is not None
    assert spec.loader is not None
    chaos = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "chaos", chaos)  # where dataclasses look for it
    spec.loader.exec_module(chaos)
    code = chaos.main(["--kills", "4"])
    out = capsys.readouterr().out
    found = json.loads(out.splitlines()[-1])
    assert found["kills"] == 4
    assert code == 0, out
