"""Owns the options of the commands. Those for settings take name, type, help, unit, range and default from `settings`.

An option that was not given is None, so that the value of a preset or a recipe stays.
"""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from impasto import assets
from impasto.errors import SettingsError
from impasto.presets import DEFAULT, preset
from impasto.settings import GROUPS, OPTIONS, LayerWeights, Option, Settings, Shares, number_in

if TYPE_CHECKING:
    from cyclopts import Token

#: The name of standard input or output where a path is expected.
STANDARD = "-"
# The parser takes a lone "-" for an option, so it is replaced meanwhile by text that no argument can contain.
_STANDARD_IN_TRANSIT = "\0"

DEFAULT_QUALITY = 95

OUTPUT = "Output"
INPUT = "Input"
_SECTIONS = {title: Group(title, sort_key=index) for index, title in enumerate((INPUT, OUTPUT, *GROUPS), start=1)}

_SETTING_NAMES = re.compile(
    rf"`({'|'.join(OPTIONS)})`|(?<![-\w])({'|'.join(name for name in OPTIONS if '_' in name)})(?!\w)"
)

_METAVARS: Mapping[Any, str] = {int: "N", float: "X", str: "TEXT", LayerWeights: "LAYERS", Shares: "SHARES"}


def option_name(setting: str) -> str:
    """The option of a setting, as it is typed: `--content-weight`."""
    return "--" + setting.replace("_", "-")


def in_transit(arguments: Sequence[str]) -> list[str]:
    """The arguments in a form that the parser accepts."""
    return [_STANDARD_IN_TRANSIT if argument == STANDARD else argument for argument in arguments]


def arrived(text: str) -> str:
    """The original text of an argument or a message that comes from the parser."""
    return text.replace(_STANDARD_IN_TRANSIT, STANDARD)


def text(value: Any) -> str:
    """A setting's value as it is typed: layer weights as `relu1_1=1,relu2_1=0.5`."""
    if isinstance(value, tuple | list):
        return ",".join(f"{share:g}" for share in value) or "none"
    if isinstance(value, Mapping):
        return ",".join(f"{layer}={weight:g}" for layer, weight in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def as_typed(message: str) -> str:
    """`message` with the names of settings replaced by their options; single words only if they stand in backquotes."""
    return _SETTING_NAMES.sub(lambda found: option_name(found[1] or found[2]), message)


def described(kind: Any, option: Option) -> str:
    """Meaning, range and unit of an option, for people."""
    words = typing.get_args(kind) if typing.get_origin(kind) is Literal else ()
    allowed = ", ".join(map(str, words)) if words else option.range
    if kind == LayerWeights:
        allowed = "layers, each with a weight of at least 0"
    bounds = " ".join(part for part in (allowed, option.unit) if part)
    return f"{option.meaning} [{bounds}]" if bounds else option.meaning


def _read(kind: Any) -> Callable[[Any, Sequence[Token]], Any]:
    """A converter from text to a number if it is one, else the text, which `Settings` refuses."""

    def convert(_: Any, tokens: Sequence[Token]) -> Any:
        return number_in(kind, arrived(tokens[0].value))

    return convert


def _read_whole(name: str, option: Option) -> Callable[[Any, Sequence[Token]], int]:
    """A converter from text to a whole number in the option's range, for options that are not settings."""

    def convert(_: Any, tokens: Sequence[Token]) -> int:
        value = _read(int)(int, tokens)
        low, high = option.low or 0, option.high or math.inf
        if not isinstance(value, int) or not (str(value) in option.words if option.words else low <= value <= high):
            unit = f" {option.unit}" if option.unit else ""
            wanted = " or ".join(option.words) if option.words else f"a whole number, {option.range}"
            raise SettingsError(name, f"got {value}; it must be {wanted}{unit}")
        return value

    return convert


def _setting(name: str, shown_default: str) -> Any:
    """The annotation of the option for a setting."""
    kind, option = OPTIONS[name]
    return Annotated[
        # The types that `_read` returns; the parser checks them if pydantic is loaded.
        str | int | float | None,
        Parameter(
            help=as_typed(described(kind, option)),
            group=_SECTIONS[option.group],
            metavar=_METAVARS.get(kind, "NAME"),
            converter=_read(kind),
            show_default=lambda _: shown_default,
        ),
    ]


def _whole(name: str, shown_default: str, option: Option) -> Parameter:
    """An option that is a whole number and not a setting."""
    return Parameter(
        help=described(int, option),
        group=_SECTIONS[option.group],
        metavar="N",
        converter=_read_whole(name, option),
        show_default=lambda _: shown_default,
    )


def whole(name: str, shown_default: str, meaning: str, option: Option) -> Parameter:
    """An option that is a whole number and not a setting, with the range of `option` and its own meaning."""
    return _whole(name, shown_default, dataclasses.replace(option, meaning=meaning))


def _read_each(_: Any, tokens: Sequence[Token]) -> list[str]:
    return [arrived(token.value) for token in tokens]


def words(meaning: str, shown_default: str, *, group: str = OUTPUT, repeatable: bool = False, **more: Any) -> Parameter:
    """An option that is text and not a setting; a list if it is `repeatable`."""
    return Parameter(
        help=meaning,
        group=_SECTIONS[group],
        converter=_read_each if repeatable else _read(str),
        negative=(),
        show_default=lambda _: shown_default,
        **more,
    )


def flag(meaning: str, **more: Any) -> Parameter:
    """An option without a value."""
    return Parameter(help=f"{meaning} [default: off]", group=_SECTIONS[OUTPUT], negative=(), show_default=False, **more)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class SettingOptions:
    """Options for some of the settings; None if not given."""

    def given(self) -> dict[str, Any]:
        """The settings that were given, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


@cache
def setting_options(name: str, shown_default: Callable[[str], str], only: tuple[str, ...] = ()) -> Any:
    """Make a class of SettingOptions for all settings, or `only` some.

    Args:
        name: of the class.
        shown_default: the default of a setting, for the help.
        only: names of settings; all if empty.
    """
    return dataclasses.make_dataclass(
        name,
        [(setting, _setting(setting, shown_default(setting)), None) for setting in only or OPTIONS],
        bases=(SettingOptions,),
        frozen=True,
        kw_only=True,
        # Without a module, the parser would take it for a built-in type.
        namespace={"__module__": __name__},
    )


def default_text(setting: str) -> str:
    """The default of a setting, as it is typed."""
    return text(getattr(_default_settings(), setting))


@cache
def _default_settings() -> Settings:
    return preset(DEFAULT).settings()


_THREADS = Option(meaning="CPU threads to compute with.", group="Machine", low=1, high=4096)
_PICTURE_FILE = "A PNG, JPEG, WebP, TIFF, AVIF or BMP file"

Threads = Annotated[int | None, _whole("threads", "chosen by torch", _THREADS)]
RecipeThreads = Annotated[int | None, _whole("threads", "as in the picture", _THREADS)]
Preset = Annotated[
    str,
    Parameter(
        help=f"Settings to start from: {', '.join(assets.presets())}, or a TOML file; the options below override them.",
        group=_SECTIONS["Picture"],
        metavar="NAME|FILE",
        converter=_read(str),
        show_default=lambda _: DEFAULT,
    ),
]
Content = Annotated[
    str,
    Parameter(
        help="The photograph: a file, sample:NAME (see `impasto samples`), or - for standard input.",
        converter=_read(str),
    ),
]


def picture_argument(meaning: str) -> Parameter:
    """The argument that names a picture."""
    return Parameter(help=meaning, converter=_read(str), required=True)


Style = Annotated[str, picture_argument("The painting, named in the same way; several are blended.")]
Painting = Annotated[str, picture_argument("The painting, named in the same way.")]


def _mask(shown_default: str) -> Parameter:
    meaning = (
        "A mask of the photograph: white is a region, grey its soft edge. Repeat it for several regions: region i is "
        "painted in the style of style mask i, or of painting i. In a coloured mask, each colour is a region."
    )
    return _region(meaning, shown_default, repeatable=True)


def _style_mask(shown_default: str) -> Parameter:
    return _region("A mask of the painting, or a coloured mask with the same colours.", shown_default, repeatable=True)


def _content_map(shown_default: str) -> Parameter:
    meaning = "A mask: white where the photograph's shapes must stay, as in a face; black elsewhere."
    return _region(meaning, shown_default)


def _region(meaning: str, shown_default: str, *, repeatable: bool = False) -> Parameter:
    return words(meaning, shown_default, group="Style and content", metavar="FILE", repeatable=repeatable)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class MaskOptions:
    """Regions with their own styles."""

    mask: Annotated[Sequence[str], _mask("none")] = ()
    style_mask: Annotated[Sequence[str], _style_mask("none")] = ()
    content_map: Annotated[str | None, _content_map("none")] = None

    def files(self) -> list[str]:
        """The files that were given."""
        return [*self.mask, *self.style_mask, *([self.content_map] if self.content_map else [])]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class RecipeMaskOptions(MaskOptions):
    """Regions instead of those in the recipe."""

    mask: Annotated[Sequence[str], _mask("as in the recipe")] = ()
    style_mask: Annotated[Sequence[str], _style_mask("as in the recipe")] = ()
    content_map: Annotated[str | None, _content_map("as in the recipe")] = None


def _weights(shown_default: str) -> Parameter:
    meaning = "File of the backbone's weights: .safetensors, or a .pth with tensors only."
    return words(meaning, shown_default, group="Method", metavar="FILE")


Weights = Annotated[str | None, _weights("the network's own")]
RecipeWeights = Annotated[str | None, _weights("as in the recipe")]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """The kind of report, and whether files may be replaced."""

    json: Annotated[bool, flag("Print the result as one JSON object.")] = False
    quiet: Annotated[bool, flag("Show no progress; warnings and errors remain.", name=("--quiet", "-q"))] = False
    force: Annotated[bool, flag("Replace files that exist.", name=("--force", "-f"))] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """The destination and the format of a picture."""

    out: Annotated[
        str | None,
        words(
            f"{_PICTURE_FILE}, a folder, or - for standard output. Without it, a free name is chosen.",
            "named after the inputs",
            name=("--out", "-o"),
            metavar="FILE",
        ),
    ] = None
    format: Annotated[
        str | None,
        words(
            "Format for standard output, or if --out is not given. [png, jpeg, webp, tiff, avif, bmp]",
            "png",
            metavar="NAME",
        ),
    ] = None
    quality: Annotated[
        int | None,
        _whole(
            "quality",
            str(DEFAULT_QUALITY),
            Option(meaning="Quality of JPEG, WebP and AVIF.", group=OUTPUT, low=1, high=100),
        ),
    ] = None
    bit_depth: Annotated[
        int,
        _whole(
            "bit_depth",
            "8",
            Option(
                meaning="Depth of each channel; 16 for PNG and TIFF only.",
                group=OUTPUT,
                unit="bits",
                words=("8", "16"),
            ),
        ),
    ] = 8
    no_metadata: Annotated[
        bool, flag("Do not write the recipe (settings, versions, names and hashes of the inputs) into the file.")
    ] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class OutputOptions(FileOptions):
    """The destination of a picture, and further files."""

    figure: Annotated[
        str | None,
        words(
            "Also write a figure of content, style, result and losses to this file.",
            "none",
            metavar="FILE",
        ),
    ] = None
    save_every: Annotated[
        int | None,
        _whole(
            "save_every",
            "never",
            Option(
                meaning="Also save the picture every N iterations, as OUT-0001.png and so on.",
                group=OUTPUT,
                unit="iterations",
                low=1,
            ),
        ),
    ] = None


def settings_of(preset_name: str, options: SettingOptions) -> Settings:
    """The preset's settings, overridden by the options.

    Raises:
        SettingsError: a value is not allowed; if it comes from the preset, the error names the preset.
    """
    try:
        chosen = preset(preset_name)
    except SettingsError as error:
        if error.setting == "preset":
            raise
        raise SettingsError("preset", str(error)) from error
    return chosen.settings(**options.given())
