"""Turns any error of a library or the system into two lines: what failed, and what to do.

Foreign messages may hold passwords, run over fifty lines, and name no way out, or a wrong one.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, unquote

from ablation.errors import Refused

LONGEST = 600
"""Characters of a line."""
AGAIN = "then run the same command again; recorded trials are kept."

SECRET = "***"
ADDRESSES = ("MLFLOW_TRACKING_URI", "ABLATION_STORAGE", "MLFLOW_BACKEND_STORE_URI")
WORDS = ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "HF_TOKEN", "PGPASSWORD")
"""Environment variables that hold addresses with passwords, and secrets themselves."""
KEYS = r"password|passwd|pwd|token|secret|api_?key|sslpassword"

FULL = {errno.ENOSPC, errno.EDQUOT}
CAUSES: tuple[tuple[str, str], ...] = (
    (r"disk is full|no space left|disk quota", f"Free disk space, {AGAIN}"),
    (r"disk i/o error", f"See whether the disk is full or broken (df, dmesg), {AGAIN}"),
    (r"file.name too long", "Give a shorter name."),
    (r"af_unix path too long", "Set TMPDIR to a folder with a shorter path, such as /tmp."),
    (r"too many open files", "Raise the limit (ulimit -n 4096), or give fewer --workers."),
    (r"sem_open|/dev/shm|semaphore", "Make /dev/shm writable: workers need it."),
    (
        r"exceeds? .*length|exceeded length|truncate_long_values",
        "Unset MLFLOW_TRUNCATE_LONG_VALUES, or give the columns shorter values.",
    ),
    (
        r"database is locked|locked database",
        f"End the process that uses it, or give another folder with --store, {AGAIN}",
    ),
    (
        r"no module named|can't load plugin|driver is not installed",
        "Install the driver: pip install 'attention-ablation[postgres]' for "
        "postgresql+psycopg://, or the one that the address names.",
    ),
    (
        r"password|authentication|access denied|unauthori[sz]ed|forbidden|\b40[13]\b|role \"",
        "Check user and password in the address.",
    ),
    (
        r"artifact|mlartifacts",
        "Start the tracking server with --artifacts-destination (a folder that it can write), or "
        "make the artifacts' folder writable here.",
    ),
    (r"read.?only|permission denied|not permitted", f"Make it writable, or name another, {AGAIN}"),
    (
        r"connection|refused|time[d ]?.?out|unreachable|could not translate|name resolution|"
        r"max retries|server closed|no answer",
        f"Start the server or check its address, {AGAIN}",
    ),
    (
        r"malformed|not a database|no such table|no such column|corrupt",
        "Restore it from a backup, or give another folder with --store.",
    ),
)
"""Pattern of an error's name and message, in lower case, to the way out; the first one counts."""


def refusal(error: BaseException, what: str, way_out: str = "") -> Refused:
    """Returns the refusal of an error that a library or the system raised.

    Args:
        error: The error.
        what: What failed, as the start of a sentence: "The record in /runs failed".
        way_out: Used where the cause is known to have no better one.
    """
    said = first_line(error)
    rule = f"{what} ({type(error).__name__})" + (f": {said}" if said else ".")
    return Refused(line(rule), way_out_of(error) or way_out or f"Fix it, {AGAIN}")


def way_out_of(error: BaseException) -> str:
    """Returns the way out of an error, empty if its cause is not known."""
    for cause in _chain(error):
        number = getattr(cause, "errno", None)
        if number in FULL:
            return CAUSES[0][1]
    # Without a statement and its parameters, which hold any text that is recorded.
    said = (f"{type(each).__name__} {str(each).partition('[SQL:')[0]}" for each in _chain(error))
    text = " ".join(said).lower()
    for pattern, way_out in CAUSES:
        if re.search(pattern, text):
            return way_out
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yields an error and what caused it, ten of them at most."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, with the file of an `OSError`, hidden."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        text = f"{error.strerror}: {error.filename}"
    lines = [each.strip() for each in text.strip().splitlines() if each.strip()]
    return line(lines[0]) if lines else ""


def line(text: str) -> str:
    """Returns a text as one line without secrets, its middle left out where it is long."""
    flat = " ".join(hidden(text).split())
    half = (LONGEST - 5) // 2
    return flat if len(flat) <= LONGEST else f"{flat[:half]} ... {flat[-half:]}"


def hidden(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Returns a text without passwords: those of the environment, and whatever looks like one.

    >>> hidden("http://me:a@b@host/x?password=b c", {})
    'http://***@host/x?password=*** c'
    """
    for secret in sorted(_secrets(environment), key=len, reverse=True):
        text = text.replace(secret, SECRET)
    # Up to the last @ of a word, because a password may hold an unescaped one.
    text = re.sub(r"(\w://)[^\s'\"/][^\s'\"]*@", rf"\1{SECRET}@", text)
    return re.sub(rf"(?i)\b({KEYS})(['\"]?\s*[=:]\s*['\"]?)[^\s'\"&,;)]+", rf"\1\2{SECRET}", text)


def _secrets(environment: Mapping[str, str]) -> Iterator[str]:
    """Yields the secrets that the environment holds, as written and unescaped."""
    for name in WORDS:
        if value := environment.get(name):
            yield value
    for name in ADDRESSES:
        _, _, rest = environment.get(name, "").partition("://")
        log_in, at, _ = rest.rpartition("@")
        password = log_in.partition(":")[2] if at else ""
        queried = [value for key, value in parse_qsl(rest.partition("?")[2])
                   if re.fullmatch(KEYS, key, re.IGNORECASE)]  # fmt: skip
        for secret in (password, *queried):
            if len(secret) > 1:
                yield from {secret, unquote(secret)}
