"""Everything in one process comes up, whoever owns the store meanwhile."""

import itertools

import pytest

import driftline.up as module
from driftline.embedded import open_store
from driftline.errors import StoreAwayError
from driftline.store.connect import Store

ASKING = ("rows", "named_rows", "command", "insert", "set")


class EndingStore(Store):
    """A store whose owner ends once, when so many things have been asked of it; the next one stays."""

    def __init__(self, store, asked):
        self.database = store.database
        self._store, self._left, self._ended = store, asked, False

    @property
    def has_ended(self):
        return self._ended

    def connect(self, *, patient=False):
        connection = self._store.connect(patient=patient)
        if not self._ended:
            for name in ASKING:
                setattr(connection, name, self._counted(getattr(connection, name)))
        return connection

    def _counted(self, ask):
        def asked(*arguments, **options):
            if self._left == 0 or self._ended:
                self._ended = True
                raise StoreAwayError("the owner is gone")
            self._left -= 1
            return ask(*arguments, **options)

        return asked

    def close(self):
        """Leave it open: it is opened once for all that come up."""


@pytest.fixture
def come_up(tmp_path, monkeypatch):
    """Return what constructs everything over a store, with nothing running yet."""
    for service in (module.Lander, module.Profiler, module.DriftWorker, module.Sealer):
        monkeypatch.setattr(service, "run", lambda *_: None)

    def construct(store):
        monkeypatch.setattr(module, "open_store", lambda _: store)
        module.Up(log_url=(tmp_path / "log").as_uri(), store_url="chdb:///unused").close()

    return construct


def test_it_comes_up_at_whichever_question_the_owner_of_its_store_ends(tmp_path, come_up):
    ends = 0
    with open_store(f"chdb://{tmp_path / 'store'}") as opened:
        come_up(EndingStore(opened, -1))
        for asked in itertools.count():
            store = EndingStore(opened, asked)
            come_up(store)
            if not store.has_ended:
                break
            ends += 1
    assert ends > 4
