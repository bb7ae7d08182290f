"""What a comparison of two tables came to: for a notebook, as one HTML file, and as plain values."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from driftline.domain.channels import ChannelKind
from driftline.domain.verdicts import VerdictName
from driftline.errors import SettingError
from driftline.web import formatting
from driftline.web.draw.small import small_bars, small_histogram
from driftline.web.render import Renderer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from markupsafe import Markup

    from driftline.domain.channels import Channel
    from driftline.domain.verdicts import Kind
    from driftline.profiles import Grid
    from driftline.store.distributions import Distribution, Layer

_LISTED = 10


@dataclass(frozen=True, slots=True)
class ColumnComparison:
    """What one column came to.

    Args:
        name: of the column.
        kind: numeric or categorical, as the reference has it.
        verdict: `page`: it drifted; `warn`: it surely changed, by less; `ok`.
        channel: the share that moved most.
        effect: observed - expected, a share of rows.
        effect_low: lower end of its 95 % interval.
        effect_high: upper end.
        expected: the share in the reference.
        observed: the share in the current table.
        statistics: the descriptive statistics by name.
        distribution: what its picture shows.
        grid: of its buckets; None for texts.
    """

    name: str
    kind: Kind
    verdict: VerdictName
    channel: Channel
    effect: float
    effect_low: float
    effect_high: float
    expected: float
    observed: float
    statistics: Mapping[str, float]
    distribution: Distribution
    grid: Grid | None

    @property
    def is_missing(self) -> bool:
        """Whether the current table lacks it altogether."""
        return "now" not in self.distribution.layers and self.channel.kind is ChannelKind.NULLS

    @property
    def finding(self) -> str:
        """What moved, in words."""
        if self.is_missing:
            return "the current table has no such column"
        return formatting.finding(self)

    @property
    def picture(self) -> Markup | None:
        """The distribution in both tables, as SVG."""
        label = f"Distribution of {self.name}: {self.finding}"
        if self.grid is None:
            return small_bars(self.distribution, label=label)
        return small_histogram(self.distribution.layers, self.grid, label=label)

    @property
    def missing(self) -> str:
        """The share without a value in both tables, in words; empty where all rows have one."""
        now, past = (_lacking(self.distribution.layers.get(name)) for name in ("now", "training"))
        if now < 5e-5 and past < 5e-5:
            return ""
        return f"{formatting.percent(now)} missing, {formatting.percent(past)} in the reference"


def _lacking(layer: Layer | None) -> float:
    return 1 - layer.present / layer.rows if layer is not None and layer.rows else 0.0


@dataclass(frozen=True, slots=True, repr=False)
class Comparison:
    """Two tables, column by column. A notebook shows it by itself.

    Args:
        columns: those of the reference, what drifted first, then by how far.
        reference_rows: of the reference.
        current_rows: of the current table.
        minimum_effect: a column has drifted where surely more than this share of rows moved.
        added: columns that the reference lacks.
    """

    columns: Sequence[ColumnComparison]
    reference_rows: int
    current_rows: int
    minimum_effect: float
    added: Sequence[str] = ()

    @property
    def drifted(self) -> Sequence[str]:
        """The columns that drifted, the largest effect first."""
        return [each.name for each in self.columns if each.verdict is VerdictName.PAGE]

    @property
    def headline(self) -> str:
        """What came out, in one line."""
        if not self.drifted:
            return f"None of {len(self.columns)} columns drifted"
        return f"{len(self.drifted)} of {len(self.columns)} columns drifted"

    def __getitem__(self, name: str) -> ColumnComparison:
        """Return one column."""
        return next(each for each in self.columns if each.name == name)

    def to_dicts(self) -> Sequence[dict[str, Any]]:
        """Return a row of plain values for each column."""
        return [
            {
                "column": each.name,
                "kind": each.kind,
                "drifted": each.verdict is VerdictName.PAGE,
                "verdict": formatting.VERDICT_LABELS[each.verdict],
                "effect": each.effect,
                "effect_low": each.effect_low,
                "effect_high": each.effect_high,
                "finding": each.finding,
                **each.statistics,
            }
            for each in self.columns
        ]

    def to_pandas(self) -> Any:
        """Return the same as a DataFrame of pandas."""
        from driftline.notebook.frame import frame_of  # noqa: PLC0415  pandas is wanted here alone.

        return frame_of(self.to_dicts())

    def save(self, path: str | Path) -> Path:
        """Write it as one HTML file that needs nothing else; return its path.

        Raises:
            SettingError: the file can't be written.
        """
        target = Path(path)
        try:
            target.write_text(self._rendered("comparison.html"), encoding="utf-8")
        except OSError as error:
            raise SettingError(f"the report can't be written to {target}: {error.strerror}") from error
        return target

    def _repr_html_(self) -> str:
        return self._rendered("bodies/comparison.html")

    def _rendered(self, template: str) -> str:
        renderer = Renderer(clock=time.time, interactive=False, leads_out=False)
        return renderer.render(template, view=self)

    def __repr__(self) -> str:
        beside = f"{self.current_rows:,} rows beside {self.reference_rows:,}"
        lines = [f"{self.headline} (more than {self.minimum_effect:.1%} of rows moved); {beside}"]
        changed = [each for each in self.columns if each.verdict is not VerdictName.OK]
        lines += [
            f"  {formatting.VERDICT_LABELS[each.verdict]:8} {each.name}: {each.finding}"
            for each in changed[:_LISTED]
        ]
        if len(changed) > _LISTED:
            lines.append(f"  and {len(changed) - _LISTED} more")
        if self.added:
            lines.append(f"  not in the reference: {', '.join(self.added)}")
        return "\n".join(lines)
