"""Each service works with its role, uses all that the role holds, and may do nothing else.

The engine's own access control decides: see ``restricted``.
"""

from __future__ import annotations

import pytest

from driftline.errors import StatementError, StoreError
from driftline.store import migrate, ready_connection
from driftline.store.users import SERVICES
from tests.store.denied import DENIED, DENIED_TO_ALL
from tests.store.play import EVENTS, Play, create, granted, privileges, with_grants

ACCESS_DENIED = 497

# What every server lets everybody read: without it no client comes up.
COMMON = {"SELECT ON system.one", "SELECT ON system.settings"}


def covers(held, used):
    """Return whether a privilege is held by its name, or on the whole database."""
    name, _, place = used.partition(" ON ")
    return used in held or f"{name} ON {place.partition('.')[0]}.*" in held


def implied(privilege):
    """Return whether whoever may do anything with a table may see that it is there."""
    return privilege.startswith(("SHOW COLUMNS", "SHOW TABLES", "SHOW DATABASES"))


def test_each_service_does_its_work_with_its_role(play):
    assert play.created
    assert play.landed > EVENTS
    assert play.repeated
    assert play.from_start > EVENTS
    assert play.rows == [(EVENTS,)]
    assert play.replayed.refused == 1
    # The hours that the traffic spans, and again when its segments and rules change.
    assert min(play.derived, play.derived_again) >= 36
    assert play.superseded == [0, 0, 0]
    assert play.sealed == (1, 0)
    assert play.judged > 0
    assert play.judged_jointly
    assert sum(profile.rows for profile in play.segment) == EVENTS // 3
    assert play.trained == (1, "hold", "refuse")
    assert {done.exit_code for done in play.responses} == {0}, play.responses
    assert play.form.status_code == 303, play.form.text
    assert play.kept.exit_code == 0, play.kept.output
    assert [code for code, _ in play.answers] == [0] * len(play.answers), play.answers
    assert [page.status_code for page in play.pages] == [200] * len(play.pages), [
        page.text for page in play.pages
    ]


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_role_holds_is_what_its_service_uses(play, service):
    held = privileges(granted(service))
    used = play.used[service] - COMMON
    missing = {privilege for privilege in used if not covers(held, privilege) and not implied(privilege)}
    idle = {privilege for privilege in held if not any(covers({privilege}, one) for one in used)}
    assert (missing, idle) == (set(), set())


@pytest.mark.parametrize("service", SERVICES)
def test_a_role_may_do_nothing_else(play, service):
    tried = DENIED[service] + DENIED_TO_ALL
    reported = with_grants(play, granted(service), lambda client: [code(client, text) for text in tried])
    assert dict(zip(tried, reported, strict=True)) == dict.fromkeys(tried, ACCESS_DENIED)


def code(client, statement):
    try:
        client.command(statement)
    except StatementError as error:
        return error.code
    return None


@pytest.mark.parametrize("service", ["lander", "profiler", "watcher", "reader"])
def test_tables_that_are_missing_are_reported_to_a_service_that_may_not_create_them(tmp_path, service):
    with pytest.raises(StoreError, match=r"are missing, .* run `driftline migrate` with a user who may"):
        Play(tmp_path).acting(service, ready_connection)


def test_tables_of_another_version_are_reported_to_a_service(tmp_path):
    play = Play(tmp_path)
    play.acting("admin", create)
    play.as_owner(lambda client: client.command("DELETE FROM schema_migrations WHERE number = 5"))
    with pytest.raises(
        StoreError, match=r"are older than this program, which knows 0005_\w+, .*`driftline migrate`"
    ):
        play.acting("watcher", lambda store: ready_connection(store).close())
    newer = "INSERT INTO schema_migrations (number, name) VALUES (5, 'verdicts'), (77, 'later')"
    play.as_owner(lambda client: client.command(newer))
    with pytest.raises(StoreError, match=r"newer than this program: they are at 0077_later"):
        play.acting("watcher", lambda store: ready_connection(store).close())


def test_a_user_without_a_role_learns_where_roles_come_from(play):
    with pytest.raises(
        StoreError, match=r"give it one of driftline's roles, which `driftline migrate --users`"
    ):
        with_grants(play, "GRANT SHOW DATABASES ON *.*", migrate)
