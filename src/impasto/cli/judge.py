"""Owns `impasto judge`: measures pastiches: distance in style, distance in content, and faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from impasto.cli import inputs, reporting
from impasto.cli.options import INPUT, Content, Painting, as_typed, flag, picture_argument, words
from impasto.errors import ImageReadError, SettingsError

if TYPE_CHECKING:
    from impasto.metrics import Judgement


def judge(
    content: Content,
    style: Painting,
    /,
    *pastiche: Annotated[str, picture_argument("A picture painted from these two; several are compared.")],
    also: Annotated[
        list[str] | None,
        words(
            "A further painting whose style the pictures have, beside STYLE; repeat it for several.",
            "none",
            group=INPUT,
            metavar="FILE",
            repeatable=True,
        ),
    ] = None,
    json: Annotated[bool, flag("Print JSON.")] = False,
) -> None:
    """Measure pastiches: distance in style, distance in content, and faults.

    Style is 0 for the painting itself and 1 for the photograph; content
    and edges are 0 for the photograph and about 1 for another picture.
    Lower is better, but more style costs content. Painting minimises none
    of these measures, so they are fair to pictures of any program. With
    several paintings, style is the mean.
    """
    styles = [style, *(also or ())]
    inputs.check_sources([content, *styles, *pastiche])
    # Imported only now, so that help and errors need not wait for torch.
    from impasto.metrics import Judge

    photograph, paintings = inputs.picture(content), [inputs.picture(name) for name in styles]
    pictures = [inputs.picture(name) for name in pastiche]
    judged = Judge(photograph, paintings)
    for name, painting in zip(styles, paintings, strict=True):
        if painting.sha256 and painting.sha256 == photograph.sha256:
            reporting.warning(f"{name} is the photograph itself, so the style measure has no meaning")
    judgements = []
    for name, picture in zip(pastiche, pictures, strict=True):
        try:
            judgements.append(judged.judge(picture))
        except SettingsError as error:
            raise ImageReadError(f"{name}: {error.message}") from error
    if json:
        reporting.result(
            {"judgements": [_record(name, judgement) for name, judgement in zip(pastiche, judgements, strict=True)]}
        )
        return
    rows: list[tuple[str, ...]] = []
    for name, judgement in zip(pastiche, judgements, strict=True):
        faults = ", ".join(artifact.kind for artifact in judgement.artifacts) or "none"
        rows.append(
            (name, *(f"{value:.3f}" for value in (judgement.style, judgement.content, judgement.edges)), faults)
        )
    reporting.table(("picture", "style", "content", "edges", "faults"), rows)
    for name, judgement in zip(pastiche, judgements, strict=True):
        for artifact in judgement.artifacts:
            reporting.warning(as_typed(f"{name} shows {artifact}"))


def _record(name: str, judgement: Judgement) -> dict[str, Any]:
    """The part of the `--json` output for one picture."""
    return {
        "picture": name,
        "style": reporting.number(judgement.style),
        "content": reporting.number(judgement.content),
        "edges": reporting.number(judgement.edges),
        "things": reporting.number(judgement.things),
        "faults": [vars(artifact) for artifact in judgement.artifacts],
    }
