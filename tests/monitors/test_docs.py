"""docs/monitors.md holds what the code does, in both directions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from driftline.drift import DriftSettings
from driftline.monitors import MonitorsError, read_monitors
from driftline.monitors.keys import BusinessValue, Feature, File, Model, Retrain, keys_of

TEXT = (Path(__file__).parents[2] / "docs" / "monitors.md").read_text()
YAML_BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, flags=re.DOTALL)
FINE = [block for block in YAML_BLOCKS if "fast" not in block]
(WRONG,) = (block for block in YAML_BLOCKS if "fast" in block)


def rows(section):
    """Return a section's table as the documentation has to hold it."""
    usual = DriftSettings()
    for key in keys_of(section):
        if section is Model and key.is_setting:
            default = f"`{key.kind.show(getattr(usual, key.field))}`"
        elif key.default is None:
            default = "must be there" if section is File else "learned"
        else:
            default = (
                f"`{key.kind.show(key.default)}`"
                if key.default not in ("", ()) and isinstance(key.default, (bool, str, int, float))
                else "none"
            )
        allowed = key.kind.allowed if key.kind else "see below"
        if key.name in {"models", "features", "classes"}:
            allowed = f"{key.kind.what}; each: {allowed}"
        yield f"| `{key.name}` | {default} | {allowed} | {key.about} |"


def test_the_tables_hold_each_key_with_its_default_and_what_is_allowed_and_no_other():
    documented = [line for line in TEXT.splitlines() if re.match(r"\| `", line)]
    assert documented == [*rows(File), *rows(Model), *rows(Feature), *rows(Retrain), *rows(BusinessValue)]


@pytest.mark.parametrize("block", FINE)
def test_each_example_is_a_file_that_is_fine(block, tmp_path):
    (tmp_path / "monitors.yaml").write_text(block)
    assert read_monitors(tmp_path / "monitors.yaml", DriftSettings())


def test_the_first_example_comes_to_what_its_comments_say(tmp_path):
    (tmp_path / "monitors.yaml").write_text(FINE[0])
    monitors = read_monitors(tmp_path / "monitors.yaml", DriftSettings())
    flights, fraud, other = (monitors.of(name) for name in ("flight-delay", "fraud-eu", "other"))
    assert other.settings == DriftSettings(timezone="Europe/Berlin")
    assert flights.settings.minimum_effect == 0.01
    assert fraud.settings.page_budget_hours == 26 * 168
    assert not flights.may_page("weather_wind")
    assert flights.segments == ("country=NO", "country=SE")


def test_the_errors_are_reported_as_documented(tmp_path):
    (tmp_path / "monitors.yaml").write_text(WRONG)
    with pytest.raises(MonitorsError) as refused:
        read_monitors(tmp_path / "monitors.yaml", DriftSettings())
    reported = re.sub(r"allowed here: [^)]*", "allowed here: ...", str(refused.value))
    (documented,) = re.findall(r"```text\n(.*?)```", TEXT, flags=re.DOTALL)
    assert reported.replace(f"{tmp_path}/", "") + "\n" == documented
