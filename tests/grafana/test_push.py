"""Dashboards are brought to Grafana once, and again only where something changed; nobody's work is lost."""

from __future__ import annotations

import copy

import pytest

from driftline.errors import SettingError
from driftline.grafana.client import Grafana
from driftline.grafana.errors import GrafanaConflictError
from driftline.grafana.push import MESSAGE, push, read_dashboards, uid_of_folder
from driftline.grafana.sources import clickhouse_source, prometheus_source
from tests.support.grafana import serving_grafana

EDITOR, ADMIN = "token-of-an-editor", "token-of-an-admin"
PASSWORD = "as secret as can be"
UIDS = [
    "driftline-feature",
    "driftline-fleet",
    "driftline-model",
    "driftline-pipeline",
    "driftline-predictions",
]


@pytest.fixture
def fake():
    with serving_grafana() as serving:
        yield serving


def pushed(fake, token=EDITOR, **arguments):
    arguments = {"dashboards": read_dashboards(), "folder": "driftline", **arguments}
    return {each.uid: each.done for each in push(Grafana(fake.url, token), **arguments)}


def clickhouse(password=PASSWORD):
    environ = {"DRIFTLINE_STORE_PASSWORD": password} if password else {}
    return clickhouse_source("clickhouse://reader@clickhouse/driftline", environ)


def test_folder_and_dashboards_are_created_as_they_are_committed(fake):
    assert pushed(fake) == dict.fromkeys(["driftline", *UIDS], "created")
    assert fake.folders["driftline"]["title"] == "driftline"
    assert set(fake.folder_of.values()) == {"driftline"}
    for wanted in read_dashboards():
        stored = {**fake.dashboards[wanted["uid"]]}
        assert (stored.pop("id") > 0, stored.pop("version")) == (True, 1)
        assert stored == {name: value for name, value in wanted.items() if name not in ("id", "version")}


def test_a_second_push_says_that_nothing_changed_and_writes_nothing(fake):
    pushed(fake)
    fake.writes.clear()
    assert pushed(fake) == dict.fromkeys(["driftline", *UIDS], "unchanged")
    assert fake.writes == []
    assert {dashboard["version"] for dashboard in fake.dashboards.values()} == {1}


def test_a_later_release_updates_what_it_changed_and_nothing_else(fake):
    pushed(fake)
    later = copy.deepcopy(read_dashboards())
    later[1]["panels"][1]["title"] = "another title"
    done = pushed(fake, dashboards=later)
    assert [uid for uid, what in done.items() if what == "updated"] == ["driftline-fleet"]
    assert fake.dashboards["driftline-fleet"]["version"] == 2
    assert fake.messages["driftline-fleet"] == [MESSAGE, MESSAGE]
    assert pushed(fake, dashboards=later)["driftline-fleet"] == "unchanged"


def test_what_somebody_changed_is_not_overwritten_unless_that_is_wanted(fake):
    pushed(fake)
    fake.edit("driftline-model", title="My model")
    with pytest.raises(GrafanaConflictError, match=r"driftline-model: somebody changed it.*--overwrite"):
        pushed(fake)
    assert fake.dashboards["driftline-model"]["title"] == "My model"
    assert pushed(fake, overwrite=True)["driftline-model"] == "updated"
    assert fake.dashboards["driftline-model"]["title"] == "driftline / Model"


def test_what_somebody_changed_does_not_keep_the_others_from_being_pushed(fake):
    pushed(fake)
    for uid in ("driftline-feature", "driftline-model"):
        fake.edit(uid, title="mine")
    later = [{**dashboard, "refresh": "9m"} for dashboard in read_dashboards()]
    with pytest.raises(GrafanaConflictError) as caught:
        pushed(fake, dashboards=later)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "dashboard driftline-feature",
        "dashboard driftline-model",
    ]
    changed = {uid for uid, dashboard in fake.dashboards.items() if dashboard["refresh"] == "9m"}
    assert changed == {"driftline-fleet", "driftline-pipeline", "driftline-predictions"}


def test_a_change_in_the_very_moment_of_the_push_is_a_conflict(fake):
    pushed(fake)
    later = copy.deepcopy(read_dashboards())
    later[1]["refresh"] = "9m"
    fake.before_save = lambda uid: fake.edit(uid, title="in between")
    with pytest.raises(GrafanaConflictError, match=r"driftline-fleet.*changed by someone else.*--overwrite"):
        pushed(fake, dashboards=later)
    assert fake.dashboards["driftline-fleet"]["title"] == "in between"
    assert pushed(fake, dashboards=later, overwrite=True)["driftline-fleet"] == "updated"


def test_a_dashboard_that_was_moved_comes_back_to_its_folder(fake):
    pushed(fake)
    assert pushed(fake, folder="On call")["driftline-fleet"] == "updated"
    assert set(fake.folder_of.values()) == {"on-call"}


def test_what_is_provisioned_from_files_is_marked(fake):
    pushed(fake)
    fake.edit("driftline-feature", title="from a file")
    fake.provisioned.add("driftline-feature")
    with pytest.raises(GrafanaConflictError, match="provisioned from files"):
        pushed(fake, overwrite=True)


def test_data_sources_are_created_compared_and_updated(fake):
    sources = [prometheus_source("http://prometheus:9090"), clickhouse("")]
    uids = ["driftline-prometheus", "driftline-clickhouse"]
    for expected in (["created", "created"], ["unchanged", "unchanged"]):
        done = pushed(fake, ADMIN, sources=sources)
        assert [done[uid] for uid in uids] == expected
    sources[0] = prometheus_source("http://elsewhere:9090")
    done = pushed(fake, ADMIN, sources=sources)
    assert [done[uid] for uid in uids] == ["updated", "unchanged"]
    assert fake.sources["driftline-prometheus"]["url"] == "http://elsewhere:9090"
    assert fake.sources["driftline-prometheus"]["version"] == 2


def test_a_password_goes_where_grafana_keeps_secrets_and_is_sent_again_since_it_may_be_new(fake):
    pushed(fake, ADMIN, sources=[clickhouse("the first")])
    assert pushed(fake, ADMIN, sources=[clickhouse()])["driftline-clickhouse"] == "updated"
    assert fake.secrets["driftline-clickhouse"] == {"password": PASSWORD}
    assert PASSWORD not in repr(fake.sources)
    assert fake.sources["driftline-clickhouse"]["jsonData"] == {
        "host": "clickhouse",
        "port": 8123,
        "protocol": "http",
        "secure": False,
        "defaultDatabase": "driftline",
        "username": "reader",
    }


def test_a_data_source_that_is_provisioned_is_not_fought_over(fake):
    pushed(fake, ADMIN, sources=[prometheus_source("http://prometheus:9090")])
    fake.sources["driftline-prometheus"]["readOnly"] = True
    with pytest.raises(GrafanaConflictError, match="provisioned from files"):
        pushed(fake, ADMIN, sources=[prometheus_source("http://elsewhere:9090")])


def test_a_name_that_another_data_source_has_is_a_conflict(fake):
    pushed(fake, ADMIN, sources=[prometheus_source("http://prometheus:9090")])
    fake.sources["other"] = fake.sources.pop("driftline-prometheus")
    with pytest.raises(GrafanaConflictError, match="same name already exists"):
        pushed(fake, ADMIN, sources=[prometheus_source("http://prometheus:9090")])


def test_an_embedded_store_is_no_data_source():
    with pytest.raises(SettingError, match="embedded"):
        clickhouse_source("chdb:///var/lib/driftline/store", {})


def test_links_lead_to_the_pages_that_are_named():
    for dashboard in read_dashboards("https://driftline.example/"):
        (url,) = [v["query"] for v in dashboard["templating"]["list"] if v["name"] == "driftline_url"]
        assert url == "https://driftline.example"


@pytest.mark.parametrize(
    ("title", "uid"), [("driftline", "driftline"), ("On call / ML", "on-call-ml"), ("x" * 50, "x" * 40)]
)
def test_a_folder_gets_a_uid_that_grafana_takes(title, uid):
    assert uid_of_folder(title) == uid


def test_a_folder_without_a_name_is_refused():
    with pytest.raises(SettingError, match="or digit"):
        uid_of_folder("//")
