"""The public names are these and no others, and importing them costs nothing before they are used."""

import inspect
import pickle
import subprocess
import sys

import pytest

import impasto

PUBLIC = [
    "AssetError",
    "Change",
    "Checkpoint",
    "CheckpointError",
    "DeviceError",
    "Explanation",
    "FastModel",
    "Image",
    "ImageError",
    "ImageReadError",
    "ImageWriteError",
    "ImpastoError",
    "ImpastoWarning",
    "Judgement",
    "ModelError",
    "OptimizationError",
    "Pastiche",
    "Preset",
    "Progress",
    "Recipe",
    "Settings",
    "SettingsError",
    "SettingsWarning",
    "Stylization",
    "__version__",
    "explain",
    "judge",
    "load",
    "preset",
    "stylization",
    "stylize",
    "texture",
]


def test_the_public_names_are_these():
    assert impasto.__all__ == PUBLIC
    assert dir(impasto) == PUBLIC


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "__version__"])
def test_each_is_there_and_documented(name):
    value = getattr(impasto, name)
    assert inspect.isclass(value) or inspect.isfunction(value)
    # A dataclass without one would get its signature for a docstring.
    assert inspect.getdoc(value)
    assert not inspect.getdoc(value).startswith(f"{name}(")
    assert value.__module__.startswith("impasto.")


def test_the_version_is_a_version():
    parts = impasto.__version__.split(".")
    assert len(parts) >= 3
    assert all(part.isdigit() for part in parts[:2])


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'stylise'"):
        _ = impasto.stylise


def test_every_error_is_an_impasto_error():
    for name in PUBLIC:
        if name.endswith("Error"):
            assert issubclass(getattr(impasto, name), impasto.ImpastoError)
    assert issubclass(impasto.ImpastoWarning, UserWarning)
    assert issubclass(impasto.SettingsWarning, impasto.ImpastoWarning)
    assert issubclass(impasto.ImageReadError, impasto.ImageError)
    assert issubclass(impasto.ImageWriteError, impasto.ImageError)


@pytest.mark.parametrize(
    ("kind", "attributes", "text"),
    [
        (impasto.SettingsError, {"setting": "size", "message": "too large"}, "size: too large"),
        (impasto.SettingsWarning, {"setting": "size", "reason": "too large"}, "size has no effect: too large"),
    ],
)
def test_what_names_a_setting_survives_pickling(kind, attributes, text):
    # As it must to come back from a worker process.
    again = pickle.loads(pickle.dumps(kind("size", "too large")))  # noqa: S301 - our own
    assert (type(again), vars(again), str(again)) == (kind, attributes, text)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_importing_impasto_loads_neither_torch_nor_numpy_nor_pillow():
    heavy = run(
        "import sys, impasto; print(*[name for name in ('torch', 'numpy', 'PIL', 'jaxtyping') if name in sys.modules])"
    )
    assert heavy == ""


def test_settings_and_presets_load_no_torch():
    assert run("import sys, impasto; impasto.preset('default').settings(); print('torch' in sys.modules)") == "False"


def test_the_example_in_the_docstring_names_what_there_is():
    assert "impasto.stylize(" in impasto.__doc__
    parameters = inspect.signature(impasto.stylize).parameters
    assert list(parameters)[:2] == ["content", "style"]
