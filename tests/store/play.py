"""A server's users, and what each may do."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from click.testing import CliRunner
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from driftline.audit import SEALER_METRICS, Sealer
from driftline.cli.access import log_access
from driftline.cli.app import driftline
from driftline.domain.calendars import PlannedEvent
from driftline.domain.chain import Head
from driftline.domain.retraining import Permission
from driftline.domain.streams import Stream
from driftline.drift import DriftSettings
from driftline.drift.incidents.store import keep_incidents, open_book
from driftline.drift.service.metrics import WORKER_METRICS
from driftline.drift.service.worker import DriftWorker
from driftline.embedded import open_store
from driftline.features import Entity, FeatureService, FeatureView
from driftline.features.history import push
from driftline.features.registering import register
from driftline.lander import LANDER_METRICS, Lander
from driftline.lander.progress import EVERY_S
from driftline.lander.replay import replay_dead_letters
from driftline.lander.service import GROUP
from driftline.lifecycle.archive import create_snapshot
from driftline.lifecycle.defining import Wanted, define
from driftline.lifecycle.facts import Subject, read_facts
from driftline.lifecycle.gate import GateRules
from driftline.lifecycle.gating import Comparison, run_gate
from driftline.lifecycle.keeping import line_of
from driftline.lifecycle.place import Location
from driftline.lifecycle.retrain import run_retraining
from driftline.lifecycle.trigger import TriggerSettings
from driftline.log import Record, open_log
from driftline.metrics import Metrics
from driftline.monitors import FeatureMonitor, ModelMonitor, Monitors
from driftline.profiling import PROFILER_METRICS, Profiler
from driftline.store import migrate, ready_connection
from driftline.store.chain import read_heads, read_last_links, write_heads
from driftline.store.dead_letters import DeadLetterFilter
from driftline.store.derive import DERIVED_TABLES, delete_superseded
from driftline.store.gates import write_gate
from driftline.store.incidents import find_incident
from driftline.store.joint import (
    JointCounts,
    JointFinding,
    read_joint_counts,
    read_joint_findings,
    read_projection,
    write_joint_counts,
    write_joint_findings,
    write_projection,
)
from driftline.store.monitored import follow_monitors
from driftline.store.performance_hours import delete_superseded_performance
from driftline.store.pipelines import Claim, StepLine, add_claim, read_run_lines, write_step
from driftline.store.planned import event_id_of
from driftline.store.profiles import read_hours
from driftline.store.retraining import write_permission
from driftline.store.runs import read_revisions
from driftline.store.segments import read_segments
from driftline.store.snapshots import find_snapshot
from driftline.store.users import SERVICES, role_statements
from driftline.web import Acting, create_app
from driftline.web.acting import Forms
from driftline.web.incidents import with_acknowledgements
from driftline.wire import PREDICTIONS_TOPIC, TOPICS
from tests.drift.incidents.books import START, verdict
from tests.store.restricted import EVERYTHING, TOKEN, Restricted
from tests.support.traffic import MODEL, START_S, VERSION, serve

EVENTS = 3000


PRODUCTION = Stream(MODEL, VERSION, "production")


def granted(role):
    """Return the GRANT of a role, without whom it is granted to."""
    for statement in role_statements("driftline"):
        if match := re.fullmatch(
            rf"(GRANT\s.*?)\s+TO driftline_{role} WITH REPLACE OPTION", statement, re.DOTALL
        ):
            return re.sub(r"\s+", " ", match[1])
    raise AssertionError(role)


def privileges(grant):
    """Return each privilege of a GRANT, or of a list of them, as ``INSERT ON driftline.predictions``."""
    without_columns = re.sub(r"\([^)]*\)|`", "", grant.removeprefix("GRANT "))
    parts = re.findall(r"([\w ,]+?) ON ([^\s,]+)", without_columns)
    return {
        f"{name.strip()} ON {place}" for names, place in parts for name in names.split(",") if name.strip()
    }


def with_grants(play, grants, action):
    """Let an action ask a store whose user holds these grants."""
    with ExitStack() as stack:
        server = stack.enter_context(Restricted(play.folder / "store", grants))
        store = stack.enter_context(open_store(server.url))
        return action(stack.enter_context(closing(store.connect())))


class Play:
    """A store that is created, filled, judged and read, each by whom it takes."""

    def __init__(self, folder):
        self.folder = folder
        self.log_url = (folder / "log").as_uri()
        self.used = {service: set() for service in SERVICES}

    def acting(self, service, action):
        with Restricted(self.folder / "store", granted(service)) as server:
            with open_store(server.url) as store:
                result = action(store)
            self.used[service] |= {one for text in server.used() for one in privileges(text)}
        return result

    def as_owner(self, action):
        return with_grants(self, EVERYTHING, action)

    def land(self, store, *, from_start=False):
        """Land everything, and note a minute later, by the lander's clock, that all has landed."""
        ahead_s = [0.0]
        with open_log(self.log_url) as log:
            lander = Lander(
                log,
                store,
                metrics=Metrics(LANDER_METRICS),
                monotonic=lambda: time.monotonic() + ahead_s[0],
            )
            with closing(lander):
                if from_start:
                    lander.rewind()
                landed = lander.run_until_idle()
                ahead_s[0] = 2 * EVERY_S
                return landed + lander.land_once()

    def replay(self, store):
        with open_log(self.log_url) as log:
            return replay_dead_letters(log, store, DeadLetterFilter(), limit=10)

    def repeat(self):
        """Have the lander repeat the first range, as after a crash."""
        with open_log(self.log_url) as log, closing(log.reader(GROUP, TOPICS)) as reader:
            reader.rewind(PREDICTIONS_TOPIC, 0)
            reader.intend(reader.fetch(PREDICTIONS_TOPIC))


def damage(client):
    client.command("DELETE FROM predictions WHERE toYYYYMM(event_time) = 202602")


def create(store):
    with closing(store.connect()) as client:
        return migrate(client)


def derive(store):
    """Everything, and delete what that superseded: nobody is reading it here."""
    with closing(Profiler(store, metrics=Metrics(PROFILER_METRICS))) as profiler:
        derived = profiler.run_until_idle()
    with closing(store.connect()) as client:
        delete_superseded(client, older_than_s=0)
        delete_superseded_performance(client, older_than_s=0)
    return derived


def superseded(client):
    """Return how many derivations of each table are not the newest of their hour."""
    newest = "(SELECT model_name, model_version, environment, hour, derivation FROM derived_hours FINAL)"
    hour = "(model_name, model_version, environment, hour, derivation)"
    counted = (f"SELECT count() FROM {table} WHERE {hour} NOT IN {newest}" for table in DERIVED_TABLES)
    return [client.rows(query)[0][0] for query in counted]


def follow_a_file(store):
    """As ``driftline monitors apply`` does."""
    rules = {
        "of no event": FeatureMonitor(rules={"minimum": 0.0}),
        "amount": FeatureMonitor(rules={"maximum": 100.0}),
    }
    monitor = ModelMonitor(settings=DriftSettings(), segments=("city=Bergen",), features=rules)
    with closing(store.connect()) as client:
        follow_monitors(client, Monitors(monitor, {MODEL: monitor}))


def read_segment(store):
    """As whoever judges a segment does."""
    with closing(store.connect()) as client:
        (segment,) = read_segments(client, PRODUCTION)
        hour = START_S // 3600
        return read_hours(client, PRODUCTION, first_hour=hour, end_hour=hour + 48, segment=segment).profiles


def judge(store):
    """By a file of monitors, which it has the store follow."""
    rules = {
        "of no event": FeatureMonitor(rules={"minimum": 1.0}),
        "store_id": FeatureMonitor(kind="categorical"),
    }
    segments = ("city=Bergen", "city=Oslo")
    worth = {"currency": "EUR", "over": 1.0, "under": 2.0}
    monitor = ModelMonitor(settings=DriftSettings(), segments=segments, features=rules, business_value=worth)
    worker = DriftWorker(
        store,
        metrics=Metrics(WORKER_METRICS),
        monotonic=time.monotonic,
        monitors=Monitors(ModelMonitor(settings=DriftSettings()), {MODEL: monitor}),
        reference_patience_s=0.0,
    )
    with closing(worker):
        return worker.watch_once()


def judge_jointly(store):
    """As the worker does once there are weeks of rows."""
    hour = START_S // 3600
    counts = JointCounts(hour, 0, 0, (), np.zeros(0, dtype=np.int64))
    finding = JointFinding(
        feature="(joint)",
        kind="numeric",
        scale_hours=1,
        window_start=hour,
        window_end=hour + 1,
        episode_start=hour,
    )
    with closing(store.connect()) as client:
        write_projection(client, PRODUCTION, 0, "{}")
        write_joint_counts(client, PRODUCTION, 0, [counts])
        write_joint_findings(client, PRODUCTION, [finding])
        kept = len(read_joint_counts(client, PRODUCTION, 0, first_hour=hour, end_hour=hour + 1))
        found = read_joint_findings(client, PRODUCTION, since_hour=hour, end_hour=hour + 1)
        return (read_projection(client, PRODUCTION, 0), kept, found) == ("{}", 1, [finding])


def incident(store):
    stream = Stream(MODEL, "3", "production")
    with closing(ready_connection(store)) as client:
        book, _ = open_book(client, stream, DriftSettings(), next_hour=START)
        keep_incidents(client, book.take(START, [verdict("amount", START + 1)]))
        return book.incidents


def environment(store):
    url = f"clickhouse://someone@{store.url.host}:{store.url.port}/driftline"
    return {"DRIFTLINE_STORE": url, "DRIFTLINE_STORE_PASSWORD": TOKEN}


def respond(store, incident_id):
    sale = PlannedEvent("sale", datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    asked = (
        *(("incidents",), ("ack", incident_id, "--real")),
        ("events", "add", sale.name, "--from", sale.since.isoformat(), "--until", sale.until.isoformat()),
        ("events", "remove", event_id_of(sale)),
    )
    return [CliRunner().invoke(driftline, question, env=environment(store)) for question in asked]


def respond_on_page(store, incident_id):
    """Acknowledge by the form of the incident's page, with a store of the responder's."""
    acting = Acting(b"seals forms here", store, tokens={"ada": "0123456789abcdef"})
    with closing(store.connect()) as client:
        (known,) = with_acknowledgements(client, [find_incident(client, incident_id)])
    form = Forms(acting, time.time).form(known, Headers())
    pages = TestClient(create_app(store, Metrics(), clock=time.time, acting=acting), follow_redirects=False)
    fields = {"acknowledgement": "real", "seal": form.seal, "token": "0123456789abcdef"}
    return pages.post(form.action, data=fields, headers={"Sec-Fetch-Site": "same-origin"})


def seal(store):
    """Seal, and keep heads as the sealer does once a day is over."""
    with closing(Sealer(store, metrics=Metrics(SEALER_METRICS))) as sealer:
        sealed = sealer.seal_everything()
    with closing(store.connect()) as client:
        kept = read_heads(client)
        write_heads(client, [Head(MODEL, date(2026, 2, 1), 1, read_last_links(client)[MODEL].hash)])
        return sealed, len(kept)


def keep_features(store, folder):
    """Register a view, push a value of it, and bring it online."""
    view = FeatureView("people", Entity("city"), {"people": "numeric"})
    with closing(ready_connection(store)) as client:
        register(client, [FeatureService("towns", [view], model=MODEL)], author="a test")
        push(client, view, {"city": ["Bergen"], "event_time": [0], "people": [3]})
    asked = ["features", "materialize", "--online", f"sqlite://{folder}/online.db", "--json"]
    return CliRunner().invoke(driftline, asked, env=environment(store))


def train(store, folder):
    """Make a snapshot, compare, decide, approve and claim a run, as `driftline pipeline` and its like do."""
    with closing(ready_connection(store)) as client:
        later = datetime.fromtimestamp(time.time() + 600, UTC)
        since, until = (datetime.fromtimestamp(START_S + days * 86_400, UTC) for days in (0, 2))
        wanted = Wanted(model_name=MODEL, since=since, until=until, as_of=later, maturity=timedelta(hours=1))
        definition = define(client, wanted)
        place = Location.at(str(folder / "sets"))
        made = create_snapshot(client, definition, place, author="me", settled=later)
        log_access(client, "snapshot", made.snapshot_id, model_name=MODEL, rows=made.rows)
        find_snapshot(client, made.snapshot_id)
        asked = Comparison(candidate="4", production=VERSION, definition=definition, features=["amount"])
        report = run_gate(client, asked, GateRules(), report_id="r", now=later)
        write_gate(client, line_of(report))
        read_revisions(client, MODEL, "run-7f3a")
        settings = TriggerSettings(enabled=True)
        names = {"environment": "production", "now": later, "author": "me"}
        subject = Subject(MODEL, version=VERSION)
        read_facts(client, subject, settings, now=later)
        asked_of = run_retraining(client, MODEL, settings, **names)
        write_permission(client, Permission(MODEL, later, "stop", "me", "a test"))
        add_claim(client, Claim(model_name=MODEL, number=1, attempt=1, run_id="run", claimed_by="me"))
        write_step(client, StepLine(MODEL, "run", "end", "done", 1, {}))
        assert len(read_run_lines(client, MODEL)) == 1
        return made.rows, report.verdict.decision, asked_of.decision.action


def read(store, event_id, incident_id, folder):
    ready_connection(store).close()
    env = environment(store)
    asked = ("trace", event_id), ("completeness",), ("verdicts",), ("incidents",), ("dead-letters", "list")
    asked += ("invalid",), ("rules", MODEL), ("performance", "--model", MODEL)
    asked += (
        ("triage", incident_id),
        ("explain", incident_id),
        ("features", "list"),
        ("features", "consistency", "--model", MODEL),
    )
    asked += ("audit", "verify"), ("audit", "head"), ("audit", "accesses")
    asked += (
        ("snapshot", "list"),
        ("retrain", "decisions"),
        ("retrain", "plan", MODEL),
        ("pipeline", "list"),
        ("events", "list"),
    )
    asked += (("audit", "export", str(folder / "export"), "--model", MODEL),)
    answers = [CliRunner().invoke(driftline, [*question, "--json"], env=env) for question in asked]
    pages = TestClient(create_app(store, Metrics(), clock=time.time), raise_server_exceptions=False)
    below = ("", "/features/amount", "/features/city", "/predictions?feature=amount&low=0", "/lifecycle")
    paths = ["/", f"/predictions/{event_id}", f"/incidents/{incident_id}", "/readyz", "/features"]
    paths += [f"/models/{MODEL}{path}" for path in below]
    return [(answer.exit_code, answer.output) for answer in answers], [pages.get(path) for path in paths]


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    played = Play(tmp_path_factory.mktemp("roles"))
    played.created = played.acting("admin", create)
    played.acting("admin", follow_a_file)
    event_id = serve(played.log_url, EVENTS, 0.0, with_reference=True)[0]
    with open_log(played.log_url) as log:
        log.writer().append([Record(PREDICTIONS_TOPIC, b"", b"no event")])
    played.landed = played.acting("lander", played.land)
    played.as_owner(damage)
    played.repeat()
    played.repeated = played.acting("lander", played.land)
    played.from_start = played.acting("lander", lambda store: played.land(store, from_start=True))
    played.replayed = played.acting("lander", played.replay)
    played.rows = played.as_owner(
        lambda client: client.rows("SELECT count() FROM predictions WHERE environment = 'production'")
    )
    played.derived = played.acting("profiler", derive)
    played.acting("watcher", judge)
    played.derived_again = played.acting("profiler", derive)
    played.superseded = played.as_owner(superseded)
    played.sealed = played.acting("profiler", seal)
    played.judged = played.acting("watcher", judge)
    played.judged_jointly = played.acting("watcher", judge_jointly)
    played.segment = played.acting("watcher", read_segment)
    (reported,) = played.acting("watcher", incident)
    played.responses, played.form = played.acting(
        "responder",
        lambda store: (respond(store, reported.incident_id), respond_on_page(store, reported.incident_id)),
    )
    played.kept = played.acting("features", lambda store: keep_features(store, played.folder))
    played.trained = played.acting("trainer", lambda store: train(store, played.folder))
    played.answers, played.pages = played.acting(
        "reader", lambda store: read(store, event_id, reported.incident_id, played.folder)
    )
    return played
