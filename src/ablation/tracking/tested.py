"""Keeps with the parent run what a report may tell of the test examples: class and text."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ablation.records.digest import digest
from ablation.tracking.examples import download
from ablation.tracking.home import Home

TESTS = "ablation.tests"
"""Tag of the parent run: digest of its artifact :data:`FILE`."""
FILE = "test_examples.json.gz"
"""Artifact of the parent run: columns about the test examples, a value per example."""


def keep_tests(home: Home, tests: Mapping[str, Sequence[str]]) -> None:
    """Keeps columns about the test examples, unless the same ones are there."""
    of, tags = digest(tests), home.tags()
    if not tests or tags.get(TESTS) == of:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILE
        path.write_bytes(gzip.compress(json.dumps(tests, ensure_ascii=False).encode(), mtime=0))
        home.client.log_artifact(home.parent, str(path))
    home.client.set_tag(home.parent, TESTS, of)


def tests_of(home: Home) -> dict[str, list[str]]:
    """Returns what :func:`keep_tests` kept; nothing where an earlier version made the record."""
    if TESTS not in home.tags():
        return {}
    found = download(home, home.parent, FILE)
    columns: dict[str, list[str]] = json.loads(gzip.decompress(found)) if found else {}
    return columns
