"""Records of verdicts give the same as the view that people read."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.domain.channels import Channel, ChannelKind
from driftline.domain.streams import Stream
from driftline.store.judged import read_newest
from driftline.store.moved import MOVED, Moved
from driftline.store.verdicts import write_verdicts
from tests.store.stored_verdict import HOUR, VERDICT

STREAM = Stream("read-twice", "1", "production")
REASON = "{channel}: {observed} where {expected} was expected; {detectable} would have paged; {channel}"
CHANNELS = [
    None,
    *(Channel(kind) for kind in (ChannelKind.NULLS, ChannelKind.OTHER_VALUES, ChannelKind.VOLUME)),
    *(Channel(ChannelKind.VALUE, value) for value in ("DL", "it's", "{expected}", "{channel}", "100%")),
    *(Channel(ChannelKind.AT_MOST, cut) for cut in (24902.31, 0.0, -0.0123456, 1e-5)),
    Channel(ChannelKind.TYPE_CHANGED, "categorical"),
    Channel(ChannelKind.TOGETHER, feature="distance above 3 and carrier=DL"),
]
SHARES = st.one_of(st.none(), st.floats(0, 1))
FIGURES = st.tuples(st.sampled_from(CHANNELS), SHARES, SHARES, SHARES, st.integers(0, 10**6))


@settings(max_examples=4)
@given(st.lists(FIGURES, min_size=1, max_size=40), st.sampled_from([REASON, "", "nothing to fill in"]))
def test_a_record_gives_what_the_view_gives(landing, figures, reason):
    """Channel, shares, effect and sentence, of any figures and of those that are not there."""
    client = landing.client
    shown = [
        replace(
            VERDICT,
            feature=f"f{place:02}",
            channel=channel,
            observed=observed if channel else None,
            expected=expected,
            detectable_effect=detectable,
            sample_size=size,
            reason=reason,
        )
        for place, (channel, observed, expected, detectable, size) in enumerate(figures)
    ]
    client.command("TRUNCATE TABLE verdict_records")
    write_verdicts(client, STREAM, shown)
    records = [Moved(*row) for row in client.rows(f"SELECT {MOVED} FROM verdict_records ORDER BY feature")]
    view = client.rows(
        "SELECT channel, observed, expected, effect, detectable_effect, reason "
        "FROM drift_verdicts ORDER BY feature"
    )
    assert [
        (
            moved.channel.text if moved.channel else None,
            moved.observed,
            moved.expected,
            moved.effect,
            moved.detectable_effect,
            moved.text,
        )
        for moved in records
    ] == [tuple(row) for row in view]


def test_the_newest_windows_are_read_as_the_view_gives_them(client):
    """Statistics that a verdict lacks are left out."""
    shown = replace(VERDICT, reason=REASON, effect_low=None, statistics={"psi": 0.3125, "ks": None})
    client.command("TRUNCATE TABLE verdict_records")
    write_verdicts(client, STREAM, [shown, replace(shown, feature="other", segment="carrier=DL")])
    (newest,) = read_newest(client, STREAM, HOUR + 6)
    (seen,) = client.named_rows("SELECT * FROM drift_verdicts WHERE segment = ''")
    alike = (
        "feature kind reference scale_hours verdict channel effect effect_low effect_high detectable_effect "
        "sample_size reference_size completeness statistics reason"
    ).split()
    assert {name: getattr(newest, name) for name in alike} == {name: seen[name] for name in alike}
