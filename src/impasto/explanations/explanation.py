"""Owns explanations: a figure with its numbers, and the steps that compute it from a picture."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impasto.errors import SettingsError
from impasto.explanations.features import features_of, layers_for, picture_at
from impasto.explanations.reconstructions import ReconstructionProgress, reconstruct, reconstruction_figure
from impasto.images import Image
from impasto.plots import DPI, check_figure_path, write_figure
from impasto.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Explanation:
    """A figure, and the numbers that it shows.

    Attributes:
        subject: what is explained.
        figure: of Matplotlib.
        facts: one mapping for each layer, in the order of the network: `layer`, `receptive_field`, `stride`,
            `channels`, and the results for the subject.
    """

    subject: str
    figure: Figure
    facts: tuple[Mapping[str, Any], ...]

    def save(self, path: str | os.PathLike[str], *, dpi: int = DPI) -> Path:
        """Write the figure to a PNG, JPEG, PDF or SVG file, whole or not at all; a file that is there is replaced.

        Raises:
            ImageWriteError: it cannot be written there.
        """
        check_figure_path(path)
        return write_figure(self.figure, path, dpi=dpi)

    def _repr_png_(self) -> bytes:
        """The figure, for a notebook."""
        out = io.BytesIO()
        self.figure.savefig(out, format="png", dpi=150)
        return out.getvalue()


@dataclass(frozen=True)
class ExplanationProgress:
    """One step towards an explanation.

    Attributes:
        reconstruction: how far the reconstructions are; None for subjects that take a moment.
    """

    reconstruction: ReconstructionProgress | None
    _draw: Callable[[], Explanation] = field(repr=False)

    def explanation(self) -> Explanation:
        """The figure, with the reconstructions that are complete."""
        return self._draw()


def explaining(
    subject: str, image: Image, settings: Settings, layers: str | Iterable[str] = "", *, weights: Path | None = None
) -> Iterator[ExplanationProgress]:
    """Explain a subject with a picture. Iterate to compute, stop iterating to cancel; the last step has it all.

    Args:
        subject: one of `subjects.SUBJECTS`.
        image: the photograph or the painting.
        settings: from `subjects.settings_for`.
        layers: names, in one text with commas or one by one; the paper's layers if empty.
        weights: file of the backbone's weights; None for its own.

    Raises:
        SettingsError: there is no such subject or layer, or weights have no effect on the subject. Raised before
            the iteration begins.
    """
    if subject == "network" and weights is not None:
        raise SettingsError(
            "weights", "they have no effect on `network`, which always explains the embedded VGG-19; leave them out"
        )
    chosen = layers_for(subject, settings, layers)
    whole = picture_at(image, settings)

    def facts(found: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
        common = (
            {"layer": one.name, "receptive_field": one.receptive_field, "stride": one.stride, "channels": one.channels}
            for one in chosen
        )
        return tuple({**one, **more} for one, more in zip(common, found, strict=False))

    def reconstructed(progress: ReconstructionProgress) -> Explanation:
        done = progress.done
        return Explanation(
            subject,
            reconstruction_figure(subject, image, whole, done),
            facts({"psnr": round(one.likeness, 2)} if subject == "content" else {} for one in done),
        )

    def gram() -> Explanation:
        from impasto.explanations.gram import Correlations, gram_figure

        maps = features_of(whole, [layer.name for layer in chosen], settings, weights)
        found = [Correlations.of(layer, maps[layer.name]) for layer in chosen]
        pairs = [one.extremes()[0] for one in found]
        together = [
            {"together": list(pair), "correlation": round(float(one.matrix[pair]), 4)}
            for one, pair in zip(found, pairs, strict=True)
        ]
        return Explanation(subject, gram_figure(whole, found), facts(together))

    def network() -> Explanation:
        from impasto.explanations.receptive_fields import network_figure

        return Explanation(subject, network_figure(whole, chosen, settings), facts({} for _ in chosen))

    if subject in ("gram", "network"):
        return iter([ExplanationProgress(None, gram if subject == "gram" else network)])
    steps = reconstruct(subject, image, chosen, settings, weights)
    return (ExplanationProgress(step, partial(reconstructed, step)) for step in steps)
