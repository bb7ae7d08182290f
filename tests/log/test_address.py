"""A URL says which log; a wrong one is told plainly, and nothing is touched before it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.errors import SettingError
from driftline.log import Record, default_log_url, open_log


def test_a_file_url_is_a_folder(tmp_path):
    with open_log(f"file://{tmp_path}/with%20space?max_bytes=8000000&synchronous=FULL") as log:
        assert not (tmp_path / "with space").exists()
        log.writer().append([Record("t", b"", b"")])
        assert (tmp_path / "with space").stat().st_mode & 0o777 == 0o700
        assert log.url == (tmp_path / "with space").as_uri()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("kafka://localhost:9092", "not supported yet"),
        ("/var/log", "file:///"),
        ("", "file:///"),
        ("http://localhost/", "file:///"),
        ("file://host/folder", "absolute path"),
        ("file:folder", "absolute path"),
        ("file:///folder#part", "absolute path"),
        ("file:///folder?max_bytes=4GB", "max_bytes=4GB"),
        ("file:///folder?max_bytes=-1", "max_bytes=-1"),
        ("file:///folder?max_bytes=1000", "4 MiB"),
        ("file:///folder?synchronous=off", "normal or full"),
        ("file:///folder?color=red", "color=red"),
    ],
)
def test_a_wrong_url_is_told(url, told):
    with pytest.raises(SettingError, match=told):
        open_log(url)


def test_the_environment_says_where_the_log_is():
    assert default_log_url({"DRIFTLINE_LOG": "file:///elsewhere"}) == "file:///elsewhere"
    assert default_log_url({"XDG_DATA_HOME": "/data"}) == "file:///data/driftline/log"


@pytest.mark.parametrize("data_home", ["", "relative/path"])
def test_the_log_is_in_the_users_data_folder_by_default(data_home):
    folder = Path.home() / ".local" / "share" / "driftline" / "log"
    assert default_log_url({"XDG_DATA_HOME": data_home}) == folder.as_uri()
