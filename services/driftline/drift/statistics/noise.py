"""Noise, learned: how far the shares of real windows stray from what past weeks lead to expect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from driftline.drift.statistics.expected import (
    expected_rows,
    repeat_slots,
    shares_by_level,
    sizes_by_level,
)
from driftline.drift.statistics.moderation import FeaturePower

if TYPE_CHECKING:
    from driftline.drift.statistics.arrays import BoolArray, FloatArray, IntArray

_LARGEST_CORRELATION = 0.95
_BLOCK_WORTH = 1.5


@dataclass(frozen=True, slots=True)
class Noise:
    """Overdispersion and the degrees of freedom behind it.

    Args:
        phi: variance over that of independent rows, at least 1, (scales, c).
        dependence: (1 + rho) / (1 - rho) of neighbouring blocks, how many of them make one
            observation, at least 1, (scales, c).
        blocks: how many blocks phi was learned from, (scales, c); in `learn_noise` those seen.
        effective: how many blocks of ordinary noise would tell phi as well as these do, (scales, c).
        independent: from how many independent features phi is known, (scales,).
        added: degrees of freedom that other features add, (scales, c).
        share: what share of rows each channel usually holds, (c,).
        information: rows' worth of variance that phi was learned from, sum(N e (1 - e)), (c,).
        level: how finely the channel is matched, a place in `expected.LEVELS`, (c,).
    """

    phi: FloatArray
    dependence: FloatArray
    blocks: FloatArray
    effective: FloatArray
    independent: FloatArray
    added: FloatArray
    share: FloatArray
    information: FloatArray
    level: IntArray

    @property
    def df(self) -> FloatArray:
        """Degrees of freedom behind phi, at least 1, (scales, c)."""
        return np.maximum(_BLOCK_WORTH * self.blocks / self.dependence, 1.0) + self.added

    @property
    def reference_dependence(self) -> FloatArray:
        """How many rows of the reference make one, because its hours depend on each other, (scales, c).

        Where all hours are matched these are neighbours; hours of the day lie a day apart; hours of the
        week lie a week apart and are taken to be independent.
        """
        daily = np.broadcast_to(self.dependence[-1], self.dependence.shape)
        return np.select([self.level == 0, self.level == 1], [self.dependence, daily], 1.0)


@dataclass(frozen=True, slots=True)
class _Residuals:
    """Blocks of one scale.

    Args:
        seen: blocks that hold rows, (c,).
        standard: observed - expected, over the root of what one row's variance comes to, (blocks, c).
        power: their squares, (blocks, c).
        total: these, summed, (c,).
        spread: expected variance of one row, e (1 - e), summed, (c,).
    """

    seen: FloatArray
    standard: FloatArray
    power: FloatArray
    total: FloatArray
    spread: FloatArray


@dataclass(frozen=True, slots=True)
class _Blocks:
    """The rows of one scale's blocks, of which many channels are counted.

    Args:
        rows: of each block, (blocks, g).
        at_least_one: the same, 1 where there are none, (blocks, g).
        filled: blocks that hold rows, (g,).
        root: what a residual is divided by, inverted, by level, (blocks, levels * g).
    """

    rows: FloatArray
    at_least_one: FloatArray
    filled: FloatArray
    root: FloatArray


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of a reference, each cycle beside all others: what its channels have in common.

    Args:
        usable: hours that another cycle holds, too, (cycles, slots, g); None: all.
        n: rows, 0 where not usable, (cycles, slots, g).
        others: rows of other cycles behind each expectation, by level, (cycles, fewer slots, g).
        scales_hours: lengths of the windows.
        blocks: the rows of their blocks.
    """

    usable: BoolArray | None
    n: FloatArray
    others: list[FloatArray]
    scales_hours: tuple[int, ...]
    blocks: list[_Blocks]

    @classmethod
    def of(cls, sizes: FloatArray, scales_hours: tuple[int, ...]) -> _Rows:
        """Prepare what channels are compared with. Shape (cycles, slots, g)."""
        others = sizes_by_level(sizes.sum(0) - sizes)
        # An hour that no other cycle holds cannot be predicted, so it says nothing about the noise.
        usable = others[-1] > 0
        n = np.where(usable, sizes, 0.0)
        matched = [_flat(repeat_slots(size, sizes.shape[-2])) for size in others]
        blocks = [_rows_of_blocks(_flat(n), matched, scale) for scale in scales_hours]
        return cls(None if usable.all() else usable, n, others, scales_hours, blocks)


def _rows_of_blocks(n: FloatArray, matched: list[FloatArray], scale: int) -> _Blocks:
    rows = _blocks(n, scale)
    at_least_one = np.maximum(rows, 1.0)
    # Where all hours are matched they share one expectation, which does not average out.
    borrowed = [1 / np.maximum(_blocks(matched[0], scale) / scale, 1.0)]
    borrowed += [_blocks(n**2 / np.maximum(m, 1.0), scale) / at_least_one**2 for m in matched[1:]]
    weights = [np.where(rows > 0, 1 / (1 / at_least_one + own), 0.0) for own in borrowed]
    root = np.sqrt(np.concatenate(weights, axis=1)) / np.concatenate([at_least_one] * len(weights), axis=1)
    return _Blocks(rows, at_least_one, (rows > 0).sum(0).astype(np.float64), root)


def learn_noise(
    counts: FloatArray,
    sizes: FloatArray,
    scales_hours: tuple[int, ...],
    group: IntArray | None = None,
    like: BoolArray | None = None,
) -> Noise:
    """Learn the noise from residuals of each cycle against the slots of all other cycles.

    phi follows Rao and Scott (1981). A week of similar weather is not seven observations, so df falls
    with the lag-1 autocorrelation of the residuals. Each channel is matched at the level that predicted
    the left-out cycles best: matching more finely than that only costs reference rows.

    Args:
        counts: rows in the channel, (cycles, slots, c), in the order of time; 0 where unusable.
        sizes: rows, (cycles, slots, g); 0 where unusable.
        scales_hours: lengths of the windows; an incomplete block at the beginning is left out.
        group: which of these rows each channel is counted among, (c,); its own where left out.
        like: channels that tell how features move together, those of values, (c,); all where left out.

    Returns:
        Noise of shape (scales, c), phi as measured: it may be below 1, and is no running maximum yet.
    """
    like = np.ones(counts.shape[-1], dtype=np.bool_) if like is None else like
    group = np.arange(counts.shape[-1]) if group is None else group
    rows = _Rows.of(sizes, scales_hours)
    shared = [FeaturePower(sizes.shape[-1]) for _ in scales_hours]
    parts: list[Noise] = []
    # Some channels at a time: what is made of them on the way fits into the processor's cache.
    for first in range(0, group.size, _CHANNELS_AT_ONCE):
        own = slice(first, first + _CHANNELS_AT_ONCE)
        noise, blocks = _learn_some(np.ascontiguousarray(counts[..., own]), rows, group[own])
        parts.append(noise)
        for power, block in zip(shared, blocks, strict=True):
            power.add(block.power[:, like[own]], group[own][like[own]])
    whole = {name: np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in _OF_CHANNELS}
    return Noise(**whole, independent=np.array([power.independent for power in shared]))


_CHANNELS_AT_ONCE = 64
_OF_CHANNELS = ("phi", "dependence", "blocks", "effective", "added", "share", "information", "level")


def _learn_some(counts: FloatArray, rows: _Rows, group: IntArray) -> tuple[Noise, list[_Residuals]]:
    """Learn the noise of some channels, (cycles, slots, c), by themselves; `independent` is left at 1."""
    scales = rows.scales_hours
    k = counts if rows.usable is None else np.where(np.take(rows.usable, group, axis=-1), counts, 0.0)
    shares = shares_by_level(counts.sum(0) - counts, rows.others, group)
    n = np.take(rows.n, group, axis=-1)
    by_level = [_flat(expected_rows(n, share)) for share in shares]
    # What the many hours hold is summed once; all the rest is learned from their few blocks.
    seen = _by_scale(_flat(k), scales)
    foreseen = [_by_scale(values, scales) for values in by_level]
    level = _best_level(rows, seen, foreseen, group)
    expected = [_chosen(level, [values[place] for values in foreseen]) for place in range(len(scales))]
    residuals = [
        _residuals(block, one, other, level, group)
        for block, one, other in zip(rows.blocks, seen, expected, strict=True)
    ]
    hours = expected[0] if scales[0] == 1 else _chosen(level, by_level)
    held = _flat(rows.n)
    at_least_one = np.take(np.maximum(held, 1.0), group, axis=1)
    noise = Noise(
        phi=np.stack([_overdispersion(block) for block in residuals]),
        dependence=np.stack([_dependence(block) for block in residuals]),
        blocks=np.stack([block.seen for block in residuals]),
        effective=np.stack([_effective(block) for block in residuals]),
        independent=np.ones(len(residuals)),
        added=np.zeros((len(residuals), group.size)),
        share=hours.sum(0) / np.maximum(held.sum(0), 1.0)[group],
        information=_products(hours, 1 - hours / at_least_one),
        level=level,
    )
    return noise, residuals


def _flat(values: FloatArray) -> FloatArray:
    return values.reshape(-1, values.shape[-1])


def _chosen(level: IntArray, by_level: list[FloatArray]) -> FloatArray:
    """Return each column as its level has it, (h, c); it is written into the finest one."""
    chosen = by_level[-1]
    for index, values in enumerate(by_level[:-1]):
        own = np.flatnonzero(level == index)
        chosen[:, own] = values[:, own]
    return chosen


def _best_level(
    rows: _Rows, seen: list[FloatArray], foreseen: list[list[FloatArray]], group: IntArray
) -> IntArray:
    """Return the level whose predictions of whole blocks err least, the coarser one if equal, (c,)."""
    errors = np.zeros((len(foreseen), group.size))
    # Single hours are mostly chance; blocks show what matching gains.
    for place in range(1, len(rows.scales_hours)) or range(1):
        worth = np.take(1 / rows.blocks[place].at_least_one, group, axis=1)
        for level, expected in enumerate(foreseen):
            error = seen[place] - expected[place]
            errors[level] += np.log(np.maximum(_products(error * worth, error), 1e-12))
    return np.asarray(np.argmin(errors, axis=0), dtype=np.int64)


def _residuals(
    blocks: _Blocks, seen: FloatArray, expected: FloatArray, level: IntArray, group: IntArray
) -> _Residuals:
    standard = seen - expected
    standard *= np.take(blocks.root, level * blocks.rows.shape[1] + group, axis=1)
    share = expected * np.take(1 / blocks.at_least_one, group, axis=1)
    np.minimum(share, 1.0, out=share)
    power = standard**2
    return _Residuals(
        seen=blocks.filled[group],
        standard=standard,
        power=power,
        total=power.sum(0),
        spread=_products(share, 1 - share),
    )


def _products(one: FloatArray, other: FloatArray) -> FloatArray:
    """Sum products over blocks. Shapes (blocks, c) in, (c,) out."""
    return np.asarray(np.einsum("bc,bc->c", one, other), dtype=np.float64)


def _overdispersion(blocks: _Residuals) -> FloatArray:
    spread = blocks.spread
    return np.where(spread > 0, blocks.total / np.where(spread > 0, spread, 1.0), 1.0)


def _effective(blocks: _Residuals) -> FloatArray:
    """Return the number of blocks of normal noise that would tell the variance as well as these do, (c,).

    A variance that two rainy hours of a dry month make up is known from two blocks and not from 700: the
    estimate's own variance grows with the kurtosis of what it is made of (Satterthwaite 1946). Blocks of
    normal noise count in full. Where nothing ever strayed, all count.
    """
    total, squares = blocks.total, _products(blocks.power, blocks.power)
    spread = 3 * total**2 / np.where(squares > 0, squares, 1.0)
    return np.asarray(np.where(squares > 0, np.minimum(spread, blocks.seen), blocks.seen), dtype=np.float64)


def _dependence(blocks: _Residuals) -> FloatArray:
    power, lagged = blocks.total, _products(blocks.standard[1:], blocks.standard[:-1])
    rho = np.clip(
        np.where(power > 0, lagged / np.where(power > 0, power, 1.0), 0.0), 0.0, _LARGEST_CORRELATION
    )
    return np.asarray((1 + rho) / (1 - rho), dtype=np.float64)


def _blocks(hours: FloatArray, scale: int) -> FloatArray:
    whole = hours.shape[0] // scale * scale
    # Blocks end where the reference ends; an incomplete one lies at its beginning.
    recent = hours[hours.shape[0] - whole :]
    return recent.reshape(-1, scale, hours.shape[1]).sum(1) if scale > 1 else recent


def _by_scale(hours: FloatArray, scales_hours: tuple[int, ...]) -> list[FloatArray]:
    """Return the blocks of each scale; of a shorter one where these make them up."""
    found: list[FloatArray] = []
    for place, scale in enumerate(scales_hours):
        shorter = next((at for at in reversed(range(place)) if scale % scales_hours[at] == 0), None)
        found.append(
            _blocks(hours, scale)
            if shorter is None
            else _blocks(found[shorter], scale // scales_hours[shorter])
        )
    return found


def critical_values(df: FloatArray, alpha: float) -> FloatArray:
    """Return Student's two-sided critical values, computed once per distinct df. Shape of df."""
    rounded = np.round(df, 1)
    distinct, place = np.unique(rounded, return_inverse=True)
    return -stdtrit(distinct, alpha / 2)[place].reshape(df.shape)  # type: ignore[no-any-return]  # scipy
