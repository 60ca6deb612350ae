"""Owns exported models: what their files say of themselves, and a pastiche by ONNX Runtime, without torch.

An exported model is one or two files. `model.onnx` is the network: a photograph and a condition in, a pastiche out. The
conditions of certain styles are in its metadata; that of any painting comes from `model-style.onnx` beside it.
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
from impasto.images import of_area, resize_pixels
from impasto.mixing import shares, unlearned

#: Where a file's metadata holds what it is, as JSON.
METADATA = "impasto"
#: And a picture's, by which model of the fast engine it was painted.
FAST_METADATA = "impasto-fast"
FORMAT, VERSION = "impasto-onnx", 1
#: Names of what goes in and comes out.
IMAGE, CONDITION, PASTICHE, PAINTING = "image", "condition", "pastiche", "painting"
#: Smallest side, in pixels, at which a painting is looked at.
LEAST_STYLE_SIDE = 32

# How a weight begins, in the bytes of a model, that lies in another file: a field named `location`.
_ELSEWHERE = b"\x0a\x08location\x12"
_ADVICE = "an exported model is what `impasto export MODEL -o model.onnx` writes"

Pixels = NDArray[np.float32]


def packed(numbers: NDArray[Any]) -> str:
    """Numbers as text: little-endian float32 in Base64."""
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode("ascii")


def unpacked(text: str) -> Pixels:
    """The numbers that were packed, in one dimension."""
    return np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)


def style_path(path: Path) -> Path:
    """Where the file lies that makes conditions of paintings: `model-style.onnx` beside `model.onnx`."""
    return path.with_name(f"{path.stem}-style{path.suffix}")


@dataclass(frozen=True, kw_only=True)
class PortableModel:
    """An exported model.

    Attributes:
        path: of the network.
        name: what the model was called.
        photo: the condition by which a photograph stays as it is, (k,).
        table: conditions of certain styles by name, (k,) each; empty in a model of any painting.
        side: root of the area that paintings are looked at with, in pixels.
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
            path: of the network, `model.onnx`.
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
                raise ValueError("a condition is not of the network's size")
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
        """The condition of a style: the name of one that was learned, or (in a model of any) a painting's pixels.

        Raises:
            SettingsError: the model has no style of that name.
            ModelError: the file that makes conditions of paintings is missing.
        """
        if self.table or isinstance(style, str):
            if isinstance(style, str) and style in self.table:
                return self.table[style]
            raise unlearned(self.name, style, self.table)
        encoder = style_path(self.path)
        if not encoder.exists():
            raise ModelError(f"{encoder.name} is not beside {self.path.name}; both files of an export belong together")
        session = _session(encoder, self.threads)
        found: Pixels = session.run(None, {PAINTING: looked_at(style, side or self.side)})[0]
        return np.asarray(found[0])

    def mixed(
        self,
        styles: Sequence[str | Pixels],
        *,
        blend: Sequence[float] = (),
        strength: float = 1.0,
        side: int | None = None,
    ) -> Pixels:
        """The condition of several styles together, `strength` of the way from the photograph to them.

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


def looked_at(painting: Pixels, side: int) -> Pixels:
    """A painting, (1, 3, h, w), with about side × side pixels, as conditions are made from."""
    height, width = painting.shape[-2:]
    return resize_pixels(painting, of_area((height, width), side**2, least=LEAST_STYLE_SIDE))


def _session(path: Path, threads: int | None) -> Any:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"there is no file {path}; {_ADVICE}") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); {_ADVICE}") from error
    if _ELSEWHERE in data:
        raise ModelError(f"{path.name} wants weights from another file, which an exported model never does; {_ADVICE}")
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError("ONNX Runtime is not installed; pip install 'impasto[onnx]'") from error
    options = onnxruntime.SessionOptions()
    # What it would say is about the graph, not about anything that whoever runs it could change.
    options.log_severity_level = 4
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # Its exceptions share no base class that it exports.
        raise ModelError(f"{path.name} cannot be read as a model; {_ADVICE}") from error


def _about(session: Any, path: Path) -> dict[str, Any]:
    try:
        about = json.loads(session.get_modelmeta().custom_metadata_map[METADATA])
    except (KeyError, ValueError) as error:
        raise ModelError(f"{path.name} is an ONNX model, but not one that Impasto exported; {_ADVICE}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT or "photo" not in about:
        raise ModelError(f"{path.name} is not the network of an exported model; {_ADVICE}")
    if about.get("version") != VERSION:
        raise ModelError(
            f"{path.name} is of version {about.get('version')}, and this Impasto reads {VERSION}; export it again"
        )
    return about
