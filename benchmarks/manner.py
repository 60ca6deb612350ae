"""Manner without objects: the default beside the settings of before there was a largest form, on twenty-four pairs.

The first twelve pairs were looked at while the settings were chosen, the others never. Pictures are painted in two
processes, and kept beside the results.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from benchmarks import tables
from benchmarks.pairs import Pair, data
from benchmarks.store import RESULTS, Row, Store
from impasto import api, loading
from impasto.metrics import Judge

# Photographs and paintings, below the folder of the test pictures; portraits and faces are among them.
_TUNED = (
    ("classic/content/tubingen.jpg", "classic/style/starry_night.jpg"),
    ("classic/kodak/kodim04.jpg", "ship/paintings_pd/van_gogh_pere_tanguy.webp"),
    ("classic/kodak/kodim15.jpg", "classic/style/the_scream.jpg"),
    (
        "ship/photos_pd_cc0/skimage_astronaut.png",
        "classic/style_gpl_label/pierre_auguste_renoir_girls_at_the_piano_1892.jpg",
    ),
    ("classic/content/taj_mahal.jpg", "classic/style/great_wave_crop.jpg"),
    ("ship/photos_pd_cc0/scipy_raccoon_face.jpg", "classic/style/udnie_picabia.jpg"),
    ("classic/content/newyork.jpg", "classic/style_gpl_label/wassily_kandinsky_composition_viii_1923.jpg"),
    ("classic/content/cornell.jpg", "classic/style/vg_houses.jpg"),
    ("classic/kodak/kodim14.jpg", "classic/style/gauguin_tahiti.jpg"),
    ("classic/content/lofoten.jpg", "classic/style/water_lilies_1919.jpg"),
    ("classic/content/golden_gate.jpg", "classic/style_gpl_label/mary_cassatt_summertime_1894.jpg"),
    ("ship/photos_pd_cc0/skimage_chelsea.png", "ship/paintings_pd/van_gogh_cafe_terrace_at_night.webp"),
)
_HELD_OUT = (
    ("classic/kodak/kodim18.jpg", "paintings/nst_styles/ArtFlow__picasso_selfport1907_099.jpg"),
    (
        "ship/photos_pd_cc0/explore_world_music_mexico.webp",
        "classic/style_gpl_label/pierre_auguste_renoir_bal_du_moulin_de_la_galette_1876.jpg",
    ),
    ("classic/content/gentlecat.jpg", "classic/style_gpl_label/leonardo_da_vinci_mona_lisa_1503_19.jpg"),
    ("classic/content/kinkakuji.jpg", "classic/style_gpl_label/katsushika_hokusai_kazusa_sea_route_1830.jpg"),
    ("ship/photos_cc_by/sklearn_china.jpg", "classic/style/vg_wheat_field.jpg"),
    (
        "ship/photos_pd_cc0/puzzlejigsaw_pexels-photo-302304.jpeg",
        "classic/style_gpl_label/utagawa_hiroshige_horse_mackerel_and_prawn_1840.jpg",
    ),
    ("classic/content/bike.jpg", "classic/style/mondrian.jpg"),
    ("classic/kodak/kodim08.jpg", "classic/style/sakai_hoitsu.jpg"),
    ("classic/kodak/kodim21.jpg", "ship/paintings_pd/van_gogh_harvest.webp"),
    ("classic/kodak/kodim12.jpg", "classic/style/edtaonisl_picabia.jpg"),
    ("classic/content/golden_gate2.jpg", "classic/style/vg_cafe.jpg"),
    (
        "ship/photos_pd_cc0/explore_monuments_montStMichel.webp",
        "classic/style_gpl_label/katsushika_hokusai_ejiri_in_suruga_province_1830_1833.jpg",
    ),
)

_SIDE = 256
_DEFAULT, _BEFORE = "the default", "before"
# Settings and strengths of each variant. At 0.32 the settings of before leave about as much of the scene as the default
# does.
_VARIANTS: Mapping[str, tuple[Mapping[str, Any], Sequence[float]]] = {
    _DEFAULT: ({}, (0.5,)),
    _BEFORE: ({"largest_form": 0.0, "enlarged": "all", "iterations": 15}, (0.32, 0.5)),
}


def tuned() -> list[Pair]:
    """The pairs that were looked at; an empty list if the data is missing."""
    return _pairs(_TUNED)


def held_out() -> list[Pair]:
    """The pairs that were not looked at; an empty list if the data is missing."""
    return _pairs(_HELD_OUT)


def _pairs(names: Iterable[tuple[str, str]]) -> list[Pair]:
    folder = data()
    if not (folder / "classic").is_dir():
        print(f"{folder.name} is not there; set IMPASTO_DATA to the folder of the test pictures")
        return []
    return [Pair(f"{Path(c).stem} × {Path(s).stem}", folder / c, folder / s) for c, s in names]


def measure(store: Store, *, side: int = _SIDE, again: bool = False) -> None:
    """Measure a row for each pair, variant and strength; without the data, nothing."""
    wanted = []
    # In turn, so that what is stopped early has both kinds.
    pairs = [pair for both in zip(held_out(), tuned(), strict=True) for pair in both]
    for pair, (name, (_, strengths)) in product(pairs, _VARIANTS.items()):
        for strength in strengths:
            about = {"variant": name, "pair": pair.name, "strength": strength, "side": side}
            if again or store.measured(about) is None:
                wanted.append((about, pair))
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        found = {pool.submit(_painted, about, pair): about for about, pair in wanted}
        for done in as_completed(found):
            store.measure(found[done], done.result, again=again)


def _painted(about: Mapping[str, Any], pair: Pair) -> dict[str, Any]:
    torch.set_num_threads(1)
    content, style = loading.load(pair.content), loading.load(pair.style)
    settings = _VARIANTS[about["variant"]][0]
    begin = time.process_time()
    pastiche = api.stylize(content, style, size=about["side"], strength=about["strength"], **settings)
    seconds = time.process_time() - begin
    out = picture(about)
    out.parent.mkdir(parents=True, exist_ok=True)
    pastiche.save(out)
    judgement = Judge(content, [style]).judge(pastiche.image)
    return {
        "seconds": round(seconds, 2),
        "style": round(judgement.style, 4),
        "content": round(judgement.content, 4),
        "edges": round(judgement.edges, 4),
        "faults": [artifact.kind for artifact in judgement.artifacts],
    }


def picture(about: Mapping[str, Any]) -> Path:
    """Path where a picture is saved for inspection, outside version control."""
    name = "-".join(str(value) for value in about.values()).replace(" × ", "-").replace(" ", "_")
    return RESULTS / "pictures" / f"manner-{name}.png"


def write(rows: list[Row]) -> None:
    """Write the table: style / content of each pair and variant, their means, and the seconds."""
    found = {(row["side"], row["pair"], row["variant"], row["strength"]): row for row in rows}
    columns = [(name, strength) for name, (_, strengths) in _VARIANTS.items() for strength in strengths]
    texts = []
    for side in sorted({row["side"] for row in rows}):
        groups = [
            [pair for c, s in names if _complete(found, side, pair := f"{Path(c).stem} × {Path(s).stem}", columns)]
            for names in (_TUNED, _HELD_OUT)
        ]
        body = []
        for title, pairs in zip(("mean, looked at", "mean, never looked at"), groups, strict=True):
            shown = [[found[side, pair, *column] for column in columns] for pair in pairs]
            body += [
                [pair, *map(_distances, ([row] for row in cells))] for pair, cells in zip(pairs, shown, strict=True)
            ]
            if pairs:
                body.append([title, *map(_distances, zip(*shown, strict=True))])
        every = [[found[side, pair, *column] for pair in (*groups[0], *groups[1])] for column in columns]
        if not body:
            continue
        body.append(["pictures with faults", *(str(sum(bool(row["faults"]) for row in one)) for one in every)])
        body.append(
            ["processor seconds, median", *(f"{statistics.median(r['seconds'] for r in one):.1f}" for one in every)]
        )
        headings = [f"{side} px", *(f"{name}, strength {strength:g}" for name, strength in columns)]
        texts.append(tables.table(headings, body))
    if texts:
        text = "\n\n".join(texts)
        tables.write("manner", f"{text}\n\nStyle / content. {tables.measured_on(rows)}")


def _complete(found: Mapping[Any, Row], side: int, pair: str, columns: Iterable[tuple[str, float]]) -> bool:
    return all((side, pair, *column) in found for column in columns)


def _distances(rows: Sequence[Row]) -> str:
    """Means of style and content."""
    return " / ".join(f"{statistics.mean(row[name] for row in rows):.3f}" for name in ("style", "content"))
