"""Incidents in short, and what an acknowledgement may say: one table, which store and command follow."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from driftline.cli.app import driftline
from driftline.domain.incidents import MEANINGS, Finding, Incident, settled_features
from driftline.domain.streams import Stream
from driftline.domain.verdicts import Feature

SCHEMA = Path(__file__).parents[2] / "schemas" / "clickhouse" / "0007_incidents.sql"


def test_the_store_takes_what_the_table_names_and_nothing_else():
    (allowed,) = re.findall(r"CHECK acknowledgement IN \(([^)]*)\)", SCHEMA.read_text())
    assert re.findall(r"'(\w+)'", allowed) == list(MEANINGS)


def test_the_command_has_an_option_for_each():
    reported = CliRunner().invoke(driftline, ["ack", "--help"]).output
    assert all(f"--{name}" in reported for name in MEANINGS)


STREAM = Stream("till", "3", "production")


def finding(feature, *, last=10, segment=""):
    return Finding(
        segment=segment,
        feature=feature,
        kind="numeric",
        reference="production",
        channel=None,
        effect=0.1,
        expected=0.1,
        observed=0.2,
        z=9.0,
        scale_hours=1,
        since=5,
        detected=6,
        last=last,
        episode_ids=(),
    )


def incident(state, *features, stream=STREAM):
    findings = tuple(finding(name) for name in features)
    return Incident(stream=stream, incident_id="aa11", detected=6, state=state, findings=findings)


def test_an_incident_lasts_from_the_first_to_the_last_of_its_findings():
    found = Incident(
        stream=STREAM,
        incident_id="aa11",
        detected=6,
        state="open",
        findings=(finding("a", last=8), finding("b", last=12, segment="city=Bergen")),
    )
    assert (found.since, found.last) == (5, 12)
    assert found.headline == "a and b: the share that moved most rose from 10.00% to 20.00%"


def test_an_incident_without_findings_is_one_of_the_hour_that_it_was_detected_in():
    assert (incident("ended").since, incident("ended").last, incident("ended").headline) == (6, 6, "")


def test_a_feature_is_settled_where_no_open_incident_holds_it():
    incidents = [
        incident("dismissed", "a", "b"),
        incident("open", "b"),
        incident("withdrawn", "c"),
        incident("accepted", "d", stream=STREAM._replace(model_version="4")),
    ]
    assert settled_features(incidents, STREAM, 10) == {Feature("a", "numeric")}
    assert settled_features(incidents, STREAM, 11) == frozenset()
