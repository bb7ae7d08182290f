"""The README fits on one screen, and what it and the documentation show and point to is there and works."""

import re
import subprocess
from pathlib import Path

import pytest

from driftline.log import open_log
from driftline.wire import OUTCOMES_TOPIC, PREDICTIONS_TOPIC, TOPICS, TRAINING_RUNS_TOPIC

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
START = (ROOT / "docs" / "start.md").read_text()
SCREEN_LINES = 50
PICTURE_BYTES = 250_000


def code(text: str) -> list[str]:
    """Return the blocks of Python in a page, in order."""
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def links(text: str) -> list[str]:
    """Return the files that a page points to, relative to it."""
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", prose)


def landed(folder: Path) -> dict[str, int]:
    """Return how many records the log in a folder holds, by topic."""
    with open_log(folder.as_uri()) as log:
        reader = log.reader("test", TOPICS)
        found = {
            topic: reader.fetch(topic) for topic in (PREDICTIONS_TOPIC, OUTCOMES_TOPIC, TRAINING_RUNS_TOPIC)
        }
        reader.close()
    return {topic: len(batch.values) for topic, batch in found.items() if batch}


def test_the_readme_fits_on_one_screen_with_two_commands_and_five_lines_of_code():
    assert len(README.splitlines()) <= SCREEN_LINES
    assert re.findall(r"^\$ (make \w+)", README, flags=re.MULTILINE) == ["make demo", "make test"]
    (block,) = code(README)
    assert len([line for line in block.splitlines() if line.strip()]) <= 5


def test_its_picture_is_a_picture_with_a_text_for_those_who_do_not_see_it():
    ((text, path),) = re.findall(r"!\[([^]]+)\]\(([^)]+)\)", README)
    picture = (ROOT / path).read_bytes()
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) <= PICTURE_BYTES
    assert len(text.split()) > 5


def test_its_code_logs_a_prediction_and_an_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DRIFTLINE_LOG", (tmp_path / "log").as_uri())
    names: dict[str, object] = {}
    exec(code(README)[0], names)
    names["logger"].close()  # type: ignore[attr-defined]  # PredictionLogger
    assert landed(tmp_path / "log") == {PREDICTIONS_TOPIC: 1, OUTCOMES_TOPIC: 1}


def test_the_first_steps_log_a_prediction_an_outcome_and_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DRIFTLINE_LOG", (tmp_path / "log").as_uri())
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.joblib").write_bytes(b"a model")
    author = ("-c", "user.name=a test", "-c", "user.email=test@example.org")
    for arguments in (("init", "-q"), (*author, "commit", "-q", "--allow-empty", "-m", "training code")):
        subprocess.run(["git", *arguments], check=True)
    names: dict[str, object] = {"features": {"distance": [733.0], "carrier": ["UA"]}, "scores": [0.81]}
    for block in code(START):
        exec(block, names)
    names["logger"].close()  # type: ignore[attr-defined]  # PredictionLogger
    assert landed(tmp_path / "log") == {
        PREDICTIONS_TOPIC: 2,
        OUTCOMES_TOPIC: 1,
        TRAINING_RUNS_TOPIC: 1,
    }


@pytest.mark.parametrize(
    "page",
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_file_that_a_page_points_to_exists(page: Path):
    assert [link for link in links(page.read_text()) if not (page.parent / link).exists()] == []


def test_every_page_of_the_documentation_is_named_where_one_looks_first():
    index = (ROOT / "docs" / "index.md").read_text()
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert pages - set(links(index)) == set()
