"""Noise: how well a variance is known."""

import numpy as np
import pytest

from driftline.drift.statistics.expected import repeat_slots, shares_by_level, sizes_by_level
from driftline.drift.statistics.noise import learn_noise

WEEKS, SLOTS, ROWS = 4, 168, 400


def learned(counts):
    sizes = np.full(counts.shape, float(ROWS))
    return learn_noise(counts, sizes, (1, 24))


def test_independent_rows_have_no_more_than_their_own_noise():
    counts = np.random.default_rng(1).binomial(ROWS, 0.3, (WEEKS, SLOTS, 1)).astype(float)
    noise = learned(counts)
    assert noise.phi[0, 0] == pytest.approx(1.0, abs=0.15)
    assert noise.effective[0, 0] > 0.8 * noise.blocks[0, 0]


def test_a_variance_that_few_hours_make_up_is_known_from_those_few():
    """Two hours of rain in four dry weeks say little about how rain comes."""
    counts = np.full((WEEKS, SLOTS, 1), float(ROWS))
    counts[1, 30], counts[2, 90] = 0.0, 0.0
    noise = learned(counts)
    assert noise.effective[0, 0] < 10
    assert noise.blocks[0, 0] == WEEKS * SLOTS


def test_where_nothing_ever_strayed_every_block_counts():
    noise = learned(np.full((WEEKS, SLOTS, 1), float(ROWS)))
    assert noise.effective[0, 0] == noise.blocks[0, 0]


def test_hours_that_share_one_reading_are_one_observation():
    """All rows of an hour move together: phi is the number of rows."""
    counts = np.random.default_rng(2).choice([0.0, float(ROWS)], (WEEKS, SLOTS, 1))
    assert learned(counts).phi[0, 0] == pytest.approx(ROWS, rel=0.3)


def by_hand(counts, sizes, level, scale):
    """Learn phi and the dependence of one channel as the docstrings say it, without any shortcut."""
    others = sizes_by_level(sizes.sum(0) - sizes)
    share = shares_by_level(counts.sum(0) - counts, others, np.zeros(1, dtype=int))[level]
    usable = others[-1] > 0
    n, k = np.where(usable, sizes, 0.0).ravel(), np.where(usable, counts, 0.0).ravel()
    expected = n * repeat_slots(share, sizes.shape[1]).ravel()
    matched = repeat_slots(others[level], sizes.shape[1]).ravel()

    def blocks(values):
        return values.reshape(-1, scale).sum(1)

    rows = blocks(n)
    held = np.maximum(rows, 1.0)
    borrowed = 1 / np.maximum(blocks(matched) / scale, 1.0)
    if level:
        borrowed = blocks(n**2 / np.maximum(matched, 1.0)) / held**2
    weight = np.where(rows > 0, 1 / (1 / held + borrowed), 0.0)
    residual = (blocks(k) - blocks(expected)) / held * np.sqrt(weight)
    e = np.clip(blocks(expected) / held, 0, 1)
    rho = np.clip((residual[1:] * residual[:-1]).sum() / (residual**2).sum(), 0, 0.95)
    return (residual**2).sum() / (e * (1 - e)).sum(), (1 + rho) / (1 - rho)


@pytest.mark.parametrize("rows", [40, 400])
@pytest.mark.parametrize("swing", [0.0, 0.2])
def test_what_is_learned_in_few_sweeps_is_what_every_sweep_by_itself_would_teach(rows, swing):
    """Cycles that lack hours included: an hour that no other cycle holds teaches nothing."""
    random = np.random.default_rng(7)
    daily = 0.3 + swing * np.sin(np.arange(SLOTS) * 2 * np.pi / 24)
    sizes = random.poisson(rows, (WEEKS, SLOTS, 1)).astype(float)
    sizes[:3, 50], sizes[1, 70:90] = 0.0, 0.0
    counts = random.binomial(sizes.astype(int), daily[None, :, None]).astype(float)
    noise = learn_noise(counts, sizes, (1, 24))
    for place, scale in enumerate((1, 24)):
        phi, dependence = by_hand(counts, sizes, int(noise.level[0]), scale)
        assert noise.phi[place, 0] == pytest.approx(phi)
        assert noise.dependence[place, 0] == pytest.approx(dependence)


def test_channels_of_different_levels_are_learned_side_by_side_as_each_alone():
    """The expectations of the chosen level are written over those of another: no other column may suffer."""
    random = np.random.default_rng(8)
    sizes = np.full((WEEKS, SLOTS, 1), float(ROWS))
    hours = np.arange(SLOTS)
    shares = np.stack(
        [
            np.full(SLOTS, 0.3),
            0.3 + 0.2 * np.sin(hours * 2 * np.pi / 24),
            0.3 + 0.2 * np.where(hours % 50 < 7, 1.0, -0.5),
        ],
        axis=-1,
    )
    counts = random.binomial(ROWS, np.broadcast_to(shares, (WEEKS, SLOTS, 3))).astype(float)
    group = np.zeros(3, dtype=int)
    together = learn_noise(counts, sizes, (1, 6, 24), group)
    assert together.level.tolist() == [0, 1, 2]
    for place in range(3):
        alone = learn_noise(counts[..., [place]], sizes, (1, 6, 24), group[:1])
        np.testing.assert_allclose(together.phi[:, place], alone.phi[:, 0])
        np.testing.assert_allclose(together.dependence[:, place], alone.dependence[:, 0])
        np.testing.assert_allclose(together.share[place], alone.share[0])
