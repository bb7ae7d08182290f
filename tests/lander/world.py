"""One partition, one reader of it and one store, in which a lander dies wherever a test says."""

from __future__ import annotations

import itertools

from driftline.lander.repeats import find_repeats
from driftline.lander.service import make_inserters
from driftline.wire import PREDICTIONS_TOPIC
from tests.lander.partitioned import PartitionedLog, known_schema, record

NUMBERS = itertools.count(1)


class World:
    """A log with one partition of predictions and one reader of it, a session of its own in the store."""

    def __init__(self, client, *, records=0):
        self.client = client
        self.session = f"session {next(NUMBERS)}"
        self.log = PartitionedLog(self.session)
        self.reader = self.log.reader()
        self.log.give(PREDICTIONS_TOPIC, 0, self.reader)
        self.appended = 0
        self.append(records)
        self.begin_anew()

    def begin_anew(self, **options):
        """As another process does, which knows nothing."""
        inserters = make_inserters(self.client, self.client.database, known_schema, **options)
        self.inserter = inserters[PREDICTIONS_TOPIC]

    def append(self, records, **how):
        values = [record(self.session, self.appended + number + 1) for number in range(records)]
        self.appended += records
        self.log.append(PREDICTIONS_TOPIC, 0, values, **how)

    def append_refused(self, records):
        bad = [record(self.session, 10_000 + number, model_version="") for number in range(records)]
        self.log.append(PREDICTIONS_TOPIC, 0, bad)

    def fetch(self, records=10):
        return self.reader.fetch(PREDICTIONS_TOPIC, max_records=records)

    def insert(self, batch):
        """Land an intended batch."""
        repeats = find_repeats(self.client, batch, known_schema)
        return self.inserter.land(batch, repeats=repeats)

    def land(self, records=10, *, until="commit"):
        """Land a batch, or as much of it as was done when the lander died; return its bounds."""
        batch = self.fetch(records)
        if batch is None:
            return None
        if not batch.repeated:
            self.reader.intend(batch)
        if until != "intend":
            self.landing = self.insert(batch)
        if until == "commit":
            self.reader.commit(batch)
        else:
            self.begin_anew()
        return batch.first_offset, batch.last_offset

    def land_and_lose(self, records=10):
        """Die with the engine within an insert: it remembers the insert, and does not hold the rows."""
        before = self.offsets()
        self.land(records, until="insert")
        self.take_away(sorted(self.offsets() - before))

    def take_away(self, offsets, month=None):
        which = "session_id = {session:String} AND log_offset IN {offsets:Array(UInt64)}"
        which += f" AND toYYYYMM(event_time) = {month}" if month else ""
        bound = {"session": self.session, "offsets": list(offsets)}
        self.client.command(f"DELETE FROM predictions WHERE {which}", parameters=bound)

    def rewind(self, offset):
        """Set the group back; the log forgets what was intended."""
        self.reader.rewind(PREDICTIONS_TOPIC, offset)

    def land_all(self, records=10):
        bounds = []
        while (landed := self.land(records)) is not None:
            bounds.append(landed)
        return bounds

    def ask(self, columns):
        query = f"SELECT {columns} FROM predictions WHERE session_id = {{session:String}}"
        return self.client.rows(query, parameters={"session": self.session})

    def offsets(self):
        return {row[0] for row in self.ask("log_offset")}

    def assert_landed_once(self):
        assert self.ask("count(), uniqExact(sequence), uniqExact(log_offset)") == [(self.appended,) * 3]
