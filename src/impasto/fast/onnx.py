"""Owns exported models: the metadata in their files, and a pastiche by ONNX Runtime, without torch.

An exported model is one or two files. `model.onnx` is the network: a photograph and a condition in, a pastiche out. Its
metadata hold the conditions of the styles that it has learned. In a model of any painting, `model-style.onnx` beside it
computes a painting's condition.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from impasto.errors import ModelError
from impasto.fast.blending import shares, unknown_style
from impasto.fast.external_data import takes_external_data
from impasto.images import of_area, resize_pixels

#: The entry of a file's metadata that describes the model, as JSON.
METADATA = "impasto"
FORMAT, VERSION = "impasto-onnx", 1
#: Names of the graphs' inputs and outputs.
IMAGE, CONDITION, PASTICHE, PAINTING = "image", "condition", "pastiche", "painting"
#: Smallest side, in pixels, that a painting is resized to before its condition is computed.
LEAST_STYLE_SIDE = 32

_ADVICE = "an exported model is what `impasto export MODEL -o model.onnx` writes"

Pixels = NDArray[np.float32]


def packed(numbers: NDArray[Any]) -> str:
    """Numbers as text: little-endian float32 in Base64."""
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode("ascii")


def unpacked(text: str) -> Pixels:
    """The numbers that were packed, in one dimension."""
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)


def style_path(path: Path) -> Path:
    """The path of the file that computes a painting's condition: `model-style.onnx` beside `model.onnx`."""
    return path.with_name(f"{path.stem}-style{path.suffix}")


@dataclass(frozen=True, kw_only=True)
class OnnxModel:
    """An exported model.

    Attributes:
        path: of the network's file.
        name: of the model that was exported.
        photo: the condition with which the network leaves a photograph as it is, (k,).
        table: conditions of the learned styles, by name, (k,) each; empty in a model of any painting.
        side: square root of the area that paintings are resized to, in pixels.
        session: ONNX Runtime's, of the network.
        threads: to compute with; ONNX Runtime's choice if None.
    """

    path: Path
    name: str
    photo: Pixels
    table: Mapping[str, Pixels] = field(default_factory=dict)
    side: int
    session: Any
    threads: int | None = None

    @classmethod
    def load(cls, path: str | Path, *, threads: int | None = None) -> Self:
        """The exported model in a file.

        Args:
            path: of the network's file, `model.onnx`.
            threads: to compute with; ONNX Runtime's choice if None.

        Raises:
            ModelError: there is no such file, it is not an exported model, or ONNX Runtime is not installed.
        """
        path = Path(path)
        session = _session(path, threads)
        about = _about(session, path)
        try:
            names, photo = about["styles"], unpacked(about["photo"])
            rows = unpacked(about["table"]).reshape(len(names), -1) if names else ()
            size = session.get_inputs()[1].shape[1]
            if any(condition.shape != (size,) for condition in (photo, *rows)):
                raise ValueError("a condition has the wrong size for the network")
            table = dict(zip(names, rows, strict=True))
            return cls(
                path=path,
                name=about["name"],
                photo=photo,
                table=table,
                side=int(about["side"]),
                session=session,
                threads=threads,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"{path.name} is damaged ({error}); {_ADVICE}") from error

    def condition(self, style: str | Pixels, *, side: int | None = None) -> Pixels:
        """The condition of a style, (k,).

        Args:
            style: the name of a style that the model has learned; in a model of any painting, the painting's pixels,
                (1, 3, h, w), sRGB in [0, 1].
            side: square root of the area that the painting is resized to, in pixels; `self.side` if None.

        Raises:
            SettingsError: the model has no style of that name.
            ModelError: the file that computes a painting's condition is missing.
        """
        if self.table or isinstance(style, str):
            if isinstance(style, str) and style in self.table:
                return self.table[style]
            raise unknown_style(self.name, style, self.table)
        encoder = style_path(self.path)
        if not encoder.exists():
            raise ModelError(f"{encoder.name} is not beside {self.path.name}; both files of an export belong together")
        session = _session(encoder, self.threads)
        found: Pixels = session.run(None, {PAINTING: resized_painting(style, side or self.side)})[0]
        return np.asarray(found[0])

    def blended(
        self,
        styles: Sequence[str | Pixels],
        *,
        blend: Sequence[float] = (),
        strength: float = 1.0,
        side: int | None = None,
    ) -> Pixels:
        """The condition of a blend of styles, (k,).

        Args:
            styles: as `condition` takes them.
            blend: the share of each style; equal shares if empty.
            strength: 0 gives the photograph's condition, 1 the blend's; between them it is interpolated.
            side: as `condition` takes it.

        Raises:
            SettingsError: there is no style, there are not as many shares as styles, or a number is out of range.
        """
        each = np.asarray(shares(len(styles), blend, strength), np.float32)
        conditions = np.stack([self.condition(style, side=side) for style in styles])
        wanted = each @ conditions
        found: Pixels = (self.photo + np.float32(strength) * (wanted - self.photo)).astype(np.float32)
        return found

    def paint(self, photograph: Pixels, condition: Pixels) -> Pixels:
        """The pastiche of a photograph, (1, 3, h, w) in [0, 1], in the style of a condition, (k,)."""
        found: Pixels = self.session.run(None, {IMAGE: photograph, CONDITION: condition[None]})[0]
        return found


def resized_painting(painting: Pixels, side: int) -> Pixels:
    """A painting, (1, 3, h, w), resized to about side × side pixels in area, as the style encoder takes it."""
    height, width = painting.shape[-2:]
    return resize_pixels(painting, of_area((height, width), side**2, least=LEAST_STYLE_SIDE))


def _session(path: Path, threads: int | None) -> Any:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"there is no file {path}; {_ADVICE}") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); {_ADVICE}") from error
    try:
        if takes_external_data(data):
            raise ModelError(
                f"{path.name} takes weights from another file, which an exported model never does; {_ADVICE}"
            )
    except ValueError as error:
        raise ModelError(f"{path.name} cannot be read as a model ({error}); {_ADVICE}") from error
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("ONNX Runtime is not installed; pip install 'impasto[onnx]'") from error
    options = onnxruntime.SessionOptions()
    # Its log is about the graph, which the user cannot change.
    options.log_severity_level = 4
    # Never its own format, which `takes_external_data` does not check.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime exports no common base class of its exceptions.
        raise ModelError(f"{path.name} cannot be read as a model; {_ADVICE}") from error


def _about(session: Any, path: Path) -> dict[str, Any]:
    try:
        about = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path.name} is an ONNX model, but Impasto did not export it; {_ADVICE}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT or "photo" not in about:
        raise ModelError(f"{path.name} is not the network of an exported model; {_ADVICE}")
    if about.get("version") != VERSION:
        raise ModelError(
            f"{path.name} has version {about.get('version')}, and this Impasto reads version {VERSION}; "
            "export the model again"
        )
    return about
