"""Runbooks: found, rendered, and harmless whatever they hold."""

from __future__ import annotations

import pytest

from driftline.errors import NotFoundError
from driftline.web.runbooks import list_runbooks, read_runbook, render_runbook, runbook_folder

TEXT = """# Data drift

What it *means*. See [the other one](DriftlineLanderLag.md#what-to-do), [the method](../drift.md),
[here](#below) and [elsewhere](https://example.org).

<script>alert(1)</script> [never](javascript:alert(1)) ![image](https://example.org/a.png)

| a | b |
|---|---|
| 1 | 2 |
"""


def test_the_first_heading_is_the_title_and_not_repeated():
    found = render_runbook("DriftlineDataDrift", TEXT)
    assert found.title == "Data drift"
    assert "Data drift" not in found.body


def test_links_to_other_runbooks_lead_to_their_pages_and_those_to_other_files_are_text():
    body = render_runbook("DriftlineDataDrift", TEXT).body
    assert '<a href="/runbooks/DriftlineLanderLag#what-to-do">the other one</a>' in body
    assert '<a href="#below">here</a>' in body
    assert '<a href="https://example.org">elsewhere</a>' in body
    assert ", the method,\n" in body


def test_nothing_of_a_runbook_runs():
    body = render_runbook("DriftlineDataDrift", TEXT).body
    assert "<script" not in body
    assert 'href="javascript:' not in body


def test_tables_are_tables():
    assert "<td>2</td>" in render_runbook("DriftlineDataDrift", TEXT).body


def test_without_a_heading_the_alert_s_name_is_the_title():
    assert render_runbook("DriftlineDataDrift", "Text.").title == "DriftlineDataDrift"


@pytest.mark.parametrize("name", ["Nope", "../README", "a/b", ".", "", "DriftlineDataDrift.md"])
def test_an_unknown_name_is_not_found_wherever_it_points(tmp_path, name):
    (tmp_path.parent / "README.md").write_text("secret")
    (tmp_path / "DriftlineDataDrift.md").write_text(TEXT)
    with pytest.raises(NotFoundError, match="there is no runbook called"):
        read_runbook(tmp_path, name)


def test_where_there_is_no_folder_there_are_no_runbooks():
    assert list_runbooks(None) == []
    with pytest.raises(NotFoundError):
        read_runbook(None, "DriftlineDataDrift")


def test_those_of_a_checkout_are_found_and_each_can_be_read():
    folder = runbook_folder()
    names = list_runbooks(folder)
    assert "DriftlineDataDrift" in names
    assert all(read_runbook(folder, name).body for name in names)


def test_the_pages_list_them_and_show_each(site):
    listed = site.get("/runbooks")
    assert 'href="/runbooks/DriftlineDataDrift"' in listed
    assert "<h1>" in site.get("/runbooks/DriftlineDataDrift")
    assert "There is no runbook called" in site.get("/runbooks/Nope", status=404)


@pytest.mark.parametrize("name", ["x" * 5_000, "..%2F..%2Fpyproject", "a%00b", "%FF", "Index"])
def test_a_name_that_no_runbook_has_is_not_found_whatever_it_is(site, name):
    page = site.get(f"/runbooks/{name}", status=404)
    assert len(page) < 5_000
