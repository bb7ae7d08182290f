"""Noise, lent: channels that hardly ever varied take that of their feature, or of the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from driftline.drift.statistics.moderation import moderate

if TYPE_CHECKING:
    from driftline.drift.statistics.arrays import FloatArray
    from driftline.drift.statistics.channels import Channels
    from driftline.drift.statistics.noise import Noise

_LITTLE_INFORMATION = 20.0


def lend_noise(noise: Noise, channels: Channels) -> Noise:
    """Give channels that hardly ever varied the noise of their feature, or that of the model.

    Forty rows that share one reading are one observation, also when the reading goes missing, or is
    something else than 0 for the first time in a month.

    Args:
        noise: as it was learned, (scales, c).
        channels: whose noise it is.

    Returns:
        The noise with phi as a running maximum over scales.
    """
    measured, noise = noise.phi, replace(noise, phi=np.maximum(noise.phi, 1.0))
    rare, owner = channels.is_rare, channels.feature
    information = np.where(rare, 0.0, noise.information)
    known = np.bincount(owner, weights=information, minlength=channels.features)

    def of_features(values: FloatArray) -> FloatArray:
        """Return the informed mean of each feature, drawn to the model's median where little is known."""
        sums = np.bincount(owner, weights=information * values, minlength=channels.features)
        own = sums / np.maximum(known, 1e-9)
        typical = float(np.median(own[known > 0])) if (known > 0).any() else 1.0
        return (sums + needed * typical) / (known + needed)

    needed = _LITTLE_INFORMATION
    needed *= float(np.median(of_features(noise.phi[0])))
    by_scale = np.stack([of_features(phi) for phi in noise.phi])[:, owner]
    phi_lent = np.where(channels.is_invalid, by_scale[0], by_scale)
    lent = np.stack([of_features(dependence) for dependence in noise.dependence])[:, owner]
    # New values come as the feature's values come: in a burst of rain, or one by one.
    own = np.maximum(known, 1e-9)[owner]
    of_values = np.stack(
        [np.bincount(owner, weights=information * blocks)[owner] / own for blocks in noise.effective]
    )
    of_values = np.where(known[owner] > 0, of_values, noise.blocks)
    trust = information / (information + _LITTLE_INFORMATION * by_scale[0])
    phi = np.maximum(noise.phi, trust * noise.phi + (1 - trust) * phi_lent)
    dependence = np.maximum(noise.dependence, trust * noise.dependence + (1 - trust) * lent)
    lent_noise = replace(
        noise,
        phi=phi,
        blocks=np.select([channels.is_invalid, rare], [noise.blocks, of_values], noise.effective),
        dependence=np.where(channels.is_invalid, noise.dependence, dependence),
    )
    drawn = [
        moderate(
            np.where(phi[scale] > 1, phi[scale], measured[scale]),
            lent_noise.df[scale],
            noise.share,
            owner,
            like=~rare & (information > 0),
            independent=noise.independent[scale],
        )
        for scale in range(phi.shape[0])
    ]
    raised = np.maximum([one.phi for one in drawn], 1.0)
    return replace(
        lent_noise,
        phi=np.maximum.accumulate(_own_of_invalid(noise, raised, channels), axis=0),
        added=np.stack([one.added for one in drawn]),
    )


def _own_of_invalid(noise: Noise, lent: FloatArray, channels: Channels) -> FloatArray:
    """Return the noise that was lent, where channels of missing and invalid values know their own, that.

    Nulls that come one by one are as many observations as there are of them, though all values of an hour
    share one reading. They are known to do so where enough came, and not in a few bursts.

    Args:
        noise: as it was measured, at least 1, (scales, c).
        lent: at least that, (scales, c).
        channels: whose noise it is.
    """
    known = np.minimum(noise.effective[0], noise.information)
    trust = np.where(channels.is_invalid, known / (known + _LITTLE_INFORMATION), 0.0)
    return np.asarray(lent ** (1 - trust) * np.minimum(noise.phi, lent) ** trust, dtype=np.float64)
