"""Pages in a real browser: what is seen first, what sorts, what MLflow shows of a study."""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from synthetic import ARMS, NASTY, arms_named, content, declaration, runs

from ablation.records.colours import ARMS as ARM_COLOURS
from ablation.report import build, index

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not shutil.which("chromedriver"), reason="chromedriver is not there: make test-browser"
    ),
    # Selenium leaves its own sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SHOTS = Path(__file__).parent.parent / ".screenshots"
FIRST_SCREEN = 900
WIDTHS = (1280, 390)
COLUMNS = ["arm", "seed", "data", "status", "test/accuracy"]
"""Of MLflow's table, in their order."""
LONG = "a rather long name of an arm that says everything about it, and then some more"


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    opened = webdriver.Chrome(options=options, service=service)
    yield opened
    opened.quit()


@pytest.fixture
def show(driver: Any) -> Callable[..., Any]:
    """Opens a page at a width, in the light or in the dark, and keeps a screenshot."""

    def shown(address: str, name: str, width: int, *, dark: bool = False) -> Any:
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": FIRST_SCREEN, "deviceScaleFactor": 1,
             "mobile": width < 600},
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        driver.get_log("browser")
        driver.get(address)
        keep(driver, f"{name}-{width}-{'dark' if dark else 'light'}")
        return driver

    return shown


def keep(driver: Any, name: str) -> None:
    """Keeps the first screen and the whole page as PNG."""
    SHOTS.mkdir(exist_ok=True)
    height = driver.execute_script("return document.documentElement.scrollHeight")
    width = driver.execute_script("return innerWidth")
    for part, tall in (("first", FIRST_SCREEN), ("whole", height)):
        clip = {"x": 0, "y": 0, "width": width, "height": tall, "scale": 1}
        shot = driver.execute_cdp_cmd(
            "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
        )
        (SHOTS / f"{name}-{part}.png").write_bytes(base64.b64decode(shot["data"]))


def few() -> Any:
    return content(label="few")


def many() -> Any:
    """25 arms, some with long names, failed runs among them."""
    names = ["base", *NASTY, LONG, *(f"level {i}" for i in range(19))]
    declared = declaration(arms=arms_named(names))
    draw = np.random.default_rng(4)
    one = runs()
    parts = [one]
    for i, name in enumerate(names[len(ARMS) :], start=len(ARMS)):
        part = one[one["arm"] == "base"].assign(arm=name, config=f"c{i}")
        part["value"] += draw.normal(0, 0.03) + draw.normal(0, 0.01, len(part))
        part["run_id"] = [f"run{i}-{seed}" for seed in part["seed"]]
        parts.append(part)
    frame = pd.concat(parts, ignore_index=True)
    failed = draw.random(len(frame)) < 0.06
    frame.loc[failed, "value"] = np.nan
    frame.loc[failed, "status"] = "FAILED"
    frame.loc[failed, "reason"] = "nan_loss"
    return content(frame, label="many", declaration=declared)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    for made in (few(), many()):
        build(made, folder)
    index(folder)
    return folder


def assert_readable(driver: Any) -> None:
    """The answer is on the first screen, the page is no wider, nothing is complained of."""
    end = driver.execute_script(
        "return document.getElementById('answer').getBoundingClientRect().bottom"
    )
    assert 0 < end <= FIRST_SCREEN
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert driver.get_log("browser") == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["few", "many"])
@pytest.mark.parametrize("dark", [False, True])
def test_a_report_answers_on_its_first_screen(
    show: Callable[..., Any], reports: Path, name: str, width: int, dark: bool
) -> None:
    page = show((reports / name / "index.html").as_uri(), name, width, dark=dark)
    assert_readable(page)
    for text in NASTY:
        assert text in page.find_element("tag name", "body").text
    colours = page.execute_script(
        "const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]"
    )
    light = [sum(map(int, c[c.index("(") + 1 : -1].split(",")[:3])) for c in colours]
    assert (light[0] > light[1]) == dark


SAMPLES = sorted(Path(__file__).parent.parent.glob("docs/samples/*/index.html"))


@pytest.mark.parametrize("sample", SAMPLES, ids=[path.parent.name for path in SAMPLES])
def test_on_a_common_screen_the_contents_are_beside_and_no_table_is_cut(
    show: Callable[..., Any], sample: Path
) -> None:
    page = show(sample.as_uri(), f"sample-{sample.parent.name}", 1280)
    assert_readable(page)
    cut, beside = page.execute_script(
        "return [[...document.querySelectorAll('.scroll')].filter(each =>"
        "  each.scrollWidth > each.clientWidth || each.scrollHeight > each.clientHeight)"
        "  .map(each => each.closest('section').id),"
        " document.querySelector('nav').getBoundingClientRect().right"
        "  <= document.querySelector('h1').getBoundingClientRect().left]"
    )
    assert cut == []
    assert beside


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_over_all_studies_fits(
    show: Callable[..., Any], reports: Path, width: int
) -> None:
    assert_readable(show((reports / "index.html").as_uri(), "index", width))


def test_a_table_sorts_both_ways_by_its_numbers(show: Callable[..., Any], reports: Path) -> None:
    page = show((reports / "many/index.html").as_uri(), "sorted", 1280)

    def column() -> list[float]:
        cells = page.execute_script(
            "return [...document.querySelector('.scroll table').tBodies[0].rows]"
            ".map(r => r.cells[2].dataset.sort)"
        )
        return [float(cell) for cell in cells if cell not in {None, "-inf"}]

    before = column()
    button = page.find_elements("css selector", ".scroll table th button")[2]
    page.execute_script("arguments[0].click()", button)
    assert column() == sorted(before) != before
    page.execute_script("arguments[0].click()", button)
    assert column() == sorted(before, reverse=True)
    assert page.get_log("browser") == []


def test_a_report_is_read_without_scripts(driver: Any, reports: Path) -> None:
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get((reports / "few/index.html").as_uri())
        said = driver.find_element("id", "answer").text
        rows = driver.find_elements("css selector", ".scroll tbody tr")
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    assert "points below the baseline (interval " in said
    assert len(rows) > 5


@pytest.fixture(scope="module")
def mlflow_pages(tmp_path_factory: pytest.TempPathFactory, request: Any) -> Iterator[str]:
    """A study that ran, and MLflow's pages for it as the command line starts them."""
    folder = tmp_path_factory.mktemp("project")
    study = folder / "tiny.py"
    from conftest import TINY

    words = ["alpha", "beta", "gamma"]
    for split, rows in (("train", 120), ("test", 40)):
        lines = [f"{words[i % 3]} text number {i},{words[i % 3]}" for i in range(rows)]
        (folder / f"{split}.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    (folder / "toys").mkdir()
    for split in ("train", "test"):
        (folder / f"{split}.csv").rename(folder / "toys" / f"{split}.csv")
    study.write_text(TINY.format(source=str(folder / "toys")))
    command = [sys.executable, "-m", "ablation"]
    subprocess.run([*command, "run", str(study)], cwd=folder, check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*command, "ui", "--port", str(port)], cwd=folder,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        listening(port)
        yield f"http://127.0.0.1:{port}|{folder / 'mlflow.db'}"
    finally:
        process.send_signal(2)
        process.wait(timeout=20)


def listening(port: int) -> None:
    """Waits until a server answers."""
    end = time.monotonic() + 180
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("no server answers")


def wait_for(driver: Any, text: str, seconds: float = 60) -> str:
    """Waits until a text is on the page; returns the page's text."""
    end = time.monotonic() + seconds
    while True:
        said = str(driver.execute_script("return document.body.innerText"))
        if text in said:
            return said
        assert time.monotonic() < end, f"{text!r} is not on the page: {said[:2000]}"
        time.sleep(0.2)


def click(driver: Any, selector: str, by: str = "css selector") -> None:
    driver.execute_script("arguments[0].click()", driver.find_element(by, selector))


def test_a_user_who_clicks_in_mlflow_finds_trials_curves_answer_and_report(
    driver: Any, mlflow_pages: str
) -> None:
    address, _, _ = mlflow_pages.rpartition("|")
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.set_window_size(1280, FIRST_SCREEN)
    driver.get(address)
    wait_for(driver, "Recent Experiments")
    click(driver, "Experiments", "link text")
    wait_for(driver, "tiny")
    click(driver, "tiny", "link text")
    told = wait_for(driver, "6 matching runs")
    assert "Traces 0" not in told
    assert "Not known yet whether it matters" in told
    told = wait_for(driver, "1.0 · seed 01")
    headers = driver.execute_script(
        "return [...document.querySelectorAll('[role=columnheader]')]"
        ".sort((a, b) => a.getBoundingClientRect().x - b.getBoundingClientRect().x)"
        ".map(each => each.innerText.trim())"
    )
    assert [name for name in dict.fromkeys(headers) if name in COLUMNS] == COLUMNS
    assert "toys" in told
    assert "finished" in told
    keep(driver, "mlflow-runs")

    click(driver, "input[name=runs-view-mode][value=CHART]")
    told = wait_for(driver, "\nvalidation\n")
    for colour in ARM_COLOURS[:3]:  # beside each of an arm's two seeds
        assert told.count(colour) == 2
    sections = ("test", "validation", "train")
    places = [told.index(f"\n{name}\n") for name in sections]
    assert places == sorted(places)
    keep(driver, "mlflow-charts")

    click(driver, "//a[contains(., 'whole report')]", "xpath")  # below the note's first line
    driver.switch_to.window(driver.window_handles[-1])
    wait_for(driver, "INCONCLUSIVE")  # of the table in the note
    assert "baseline" in wait_for(driver, "margin")
    keep(driver, "mlflow-parent")
    where = driver.current_url.partition("?")[0]
    driver.get(f"{where}/artifacts/report/index.html")
    wait_for(driver, "index.html")
    assert "Does it matter?" in framed(driver)
    keep(driver, "mlflow-report")


def test_the_command_lands_on_the_trials_of_the_study_that_ran_last(
    driver: Any, mlflow_pages: str
) -> None:
    from ablation.cli.recorded import page_of

    address, _, database = mlflow_pages.rpartition("|")
    driver.set_window_size(1280, FIRST_SCREEN)
    driver.get(f"{address}/#/{page_of(f'sqlite:///{database}', None)}")
    told = wait_for(driver, "6 matching runs")
    assert "shared view" in told
    keep(driver, "mlflow-landing")


def framed(driver: Any, seconds: float = 60) -> str:
    """Waits for the artifact viewer's frame; returns the text of the page in it."""
    from selenium.webdriver.support.ui import WebDriverWait

    def said(driver: Any) -> str:
        frames = driver.find_elements("css selector", "iframe")
        for frame in frames:
            driver.switch_to.frame(frame)
            text = str(driver.execute_script("return document.body.innerText"))
            driver.switch_to.default_content()
            if text.strip():
                return text
        return ""

    found: str = WebDriverWait(driver, seconds).until(said)
    return found


@pytest.fixture(scope="module")
def dashboard(mlflow_pages: str) -> Iterator[str]:
    """optuna-dashboard's pages for the study that ran."""
    database = Path(mlflow_pages.split("|")[1]).with_name("optuna.db")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("optuna-dashboard")), "--port", str(port)]
    process = subprocess.Popen([*command, f"sqlite:///{database}"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        listening(port)
        yield f"http://127.0.0.1:{port}/dashboard"
    finally:
        process.send_signal(2)  # at once; gunicorn waits 30 s for a browser after a SIGTERM
        process.wait(timeout=20)


def test_the_dashboard_shows_names_note_and_history(driver: Any, dashboard: str) -> None:
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.set_window_size(1600, 1400)
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get(dashboard)
    wait_for(driver, "tiny [")
    driver.get(f"{dashboard}/studies/1")
    drawn = """
        return Object.fromEntries([...document.querySelectorAll('.js-plotly-plot')].map(
            plot => [plot.id, plot.data.flatMap(trace => [...(trace.y || [])])]))
    """
    names = ("history", "hyperparameter-importances", "intermediate-values")
    WebDriverWait(driver, 60).until(lambda driver: len(driver.execute_script(drawn)) > len(names))
    keep(driver, "dashboard")
    plots = driver.execute_script(drawn)
    assert len(plots["plot-history"]) >= 6
    assert plots["graph-hyperparameter-importances"] == ["init_std"]
    assert len(plots["graph-intermediate-values"]) == 6 * 2
    wait_for(driver, "test accuracy")
    driver.get(f"{dashboard}/studies/1/note")
    said = wait_for(driver, "Does it matter?")
    assert "luckiest seed" in said
    keep(driver, "dashboard-note")
