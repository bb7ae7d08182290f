"""Whatever a file holds, it is read or refused in words; what is read can be shown and be judged by."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.drift import DriftSettings
from driftline.monitors import MonitorsError, read_monitors
from driftline.monitors.explain import as_plain, explain
from driftline.monitors.keys import Feature, File, Model, keys_of

KEYS = [key.name for section in (File, Model, Feature) for key in keys_of(section)]
SCALARS = st.one_of(
    st.sampled_from(
        ["1", "0", "6", "24", "1e400", "9" * 5000, "0.5%", "14d", "999999w", "true", "off", "~", "a=b"]
    ),
    st.sampled_from(
        ["UTC", "*", "<<", "&a 1", "*a", '"', "!!set {}", "[", "|", "? 1", "- - 1", "#", "\t", "%"]
    ),
    st.text(max_size=8),
    st.integers().map(str),
    st.floats().map(repr),
)
VALUES = st.recursive(
    SCALARS,
    lambda of: st.one_of(
        st.lists(of, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), SCALARS), of, max_size=4).map(
            lambda reported: "{" + ", ".join(f"{name}: {value}" for name, value in reported.items()) + "}"
        ),
    ),
    max_leaves=8,
)
MODELS = st.dictionaries(st.sampled_from([key.name for key in keys_of(Model)]), VALUES, max_size=4)


def check_is_read_or_refused(content: bytes) -> None:
    """Read a file; fail on anything but a result or a refusal that can be printed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "monitors.yaml"
        path.write_bytes(content)
        monitors, refusal = None, None
        try:
            monitors = read_monitors(path, DriftSettings())
        except MonitorsError as error:
            refusal = error
    if monitors is None:
        lines = str(refusal).encode().decode().splitlines()
        assert len(lines) == len(refusal.problems)
        assert all(line.startswith(str(path)) for line in lines)
        return
    for monitor in (monitors.others, *monitors.entries.values()):
        assert isinstance(monitor.settings, DriftSettings)
        assert list(explain(monitor))
        assert json.dumps(as_plain(monitor), allow_nan=False).encode()


@given(
    st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
)
@settings(max_examples=100)
def test_any_bytes_are_read_or_refused(content):
    check_is_read_or_refused(content)


@given(st.dictionaries(st.sampled_from(["a", '"b*"', '"*"', "c c"]), MODELS, max_size=3), MODELS)
@settings(max_examples=200)
def test_any_values_under_known_keys_are_read_or_refused(models, defaults):
    def block(reported, indent):
        return "".join(f"{' ' * indent}{name}: {value}\n" for name, value in reported.items())

    text = "version: 1\ndefaults:\n" + block(defaults, 2) + "models:\n"
    text += "".join(f"  {name}:\n" + block(model, 4) for name, model in models.items())
    check_is_read_or_refused(text.encode("utf-8", "replace"))
