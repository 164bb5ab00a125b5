"""A cut of `make chaos`: a study that is killed again and again loses and doubles nothing."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.slow
def test_a_study_that_is_killed_again_and_again_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    code = importlib.import_module("chaos").main(["--kills", "4"])
    out = capsys.readouterr().out
    found = json.loads(out.splitlines()[-1])
    assert found["kills"] == 4
    assert found["moments"]["creation of the store"] >= 1
    assert code == 0, out
