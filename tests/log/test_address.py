"""A URL says which log; a wrong one is reported plainly, and nothing is touched before it is used."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.errors import SettingError
from driftline.log import Record, default_log_url, open_log


def test_a_file_url_is_a_folder(tmp_path):
    with open_log(f"file://{tmp_path}/with%20space?max_bytes=8000000&synchronous=FULL") as log:
        assert not (tmp_path / "with space").exists()
        log.writer().append([Record("t", b"", b"")])
        assert (tmp_path / "with space").stat().st_mode & 0o777 == 0o700
        assert log.url == (tmp_path / "with space").as_uri()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("kafka:", "is no host:port"),
        ("kafka://host:9092?no.such.option=1", "no.such.option"),
        ("kafka://host:9092?linger.ms=soon", "queue.buffering.max.ms"),
        ("kafka://host:9092?security.protocol=magic", "magic"),
        ("/var/log", "write file:///var/log"),
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
def test_a_wrong_url_is_reported(url, message):
    with pytest.raises(SettingError, match=message):
        open_log(url)


def test_the_environment_says_where_the_log_is():
    assert default_log_url({"DRIFTLINE_LOG": "file:///elsewhere"}) == "file:///elsewhere"
    assert default_log_url({"XDG_DATA_HOME": "/data"}) == "file:///data/driftline/log"


@pytest.mark.parametrize("data_home", ["", "relative/path"])
def test_the_log_is_in_the_users_data_folder_by_default(data_home):
    folder = Path.home() / ".local" / "share" / "driftline" / "log"
    assert default_log_url({"XDG_DATA_HOME": data_home}) == folder.as_uri()


def test_opening_a_kafka_url_touches_no_network():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        url = f"kafka://127.0.0.1:{server.getsockname()[1]}?security.protocol=SASL_SSL&sasl.mechanism=PLAIN"
        with open_log(url, {}) as log:
            log.reader("lander", ["driftline.predictions"])
            assert log.url == url
            with pytest.raises(TimeoutError):
                server.accept()


def test_variables_complete_a_kafka_url():
    with pytest.raises(SettingError, match=r"no\.such\.option"):
        open_log("kafka://host:9092", {"DRIFTLINE_KAFKA_NO_SUCH_OPTION": "1"})


def test_only_a_kafka_url_loads_librdkafka(tmp_path):
    program = (
        "import json, sys\nimport driftline\nfrom driftline.log import open_log\n"
        "def loaded(url):\n    open_log(url).close()\n    return 'confluent_kafka' in sys.modules\n"
        f"print(json.dumps([loaded({tmp_path.as_uri()!r}), loaded('kafka://host:9092')]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [False, True]


PATHS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=40
).map(lambda text: Path("/data") / text.strip("/"))


@given(PATHS)
def test_a_folder_of_any_name_is_what_its_url_says(folder):
    with open_log(folder.as_uri(), {}) as log:
        assert log.url == folder.as_uri()


@given(st.one_of(st.text(), st.text().map("file:///".__add__), st.text().map("kafka://".__add__)))
def test_whatever_is_given_as_an_address_is_one_or_is_refused(text):
    try:
        log = open_log(text, {})
    except SettingError:
        return
    with log:
        assert log.url


def test_a_plain_folder_is_refused_with_the_url_that_it_would_be():
    with pytest.raises(SettingError, match=r"write file:///data/my%20log"):
        open_log("/data/my log", {})
