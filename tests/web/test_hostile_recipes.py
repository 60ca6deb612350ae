"""Settings inside a picture: whatever they are, the studio reads them as settings of its own or not at all."""

from __future__ import annotations

import io
import json

import PIL.Image
import PIL.PngImagePlugin
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impasto.errors import ImpastoError
from impasto.settings import OPTIONS, Settings
from impasto.web.problems import Problem
from impasto.web.sandbox import operations
from impasto.web.schema import requests
from tests.test_pastiche import JSON, tampered

PATHS = st.sampled_from(
    ["/etc/passwd", "../../secret.png", "file:///etc/passwd", "http://169.254.169.254/", "\\\\host\\x"]
)


@st.composite
def pointing_elsewhere(draw: st.DrawFn) -> str:
    """A recipe in which a setting, an input or a version is a path or an address."""
    record = json.loads(draw(tampered()))
    if isinstance(record, dict):
        path = draw(PATHS)
        chosen = record.get("settings")
        if isinstance(chosen, dict):
            chosen[draw(st.sampled_from(sorted(OPTIONS)))] = path
        record[draw(st.sampled_from(["content", "styles", "init", "masks", "versions", path]))] = draw(
            st.sampled_from([path, [path], {"name": path, "sha256": "0" * 64}, [{"name": path, "sha256": path}]])
        )
    return json.dumps(record)


def _with(text: str) -> bytes:
    info = PIL.PngImagePlugin.PngInfo()
    info.add_itxt("impasto", text, zip=True)
    out = io.BytesIO()
    PIL.Image.new("RGB", (32, 32)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


@pytest.mark.promise("hostile-settings")
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=tampered() | pointing_elsewhere() | JSON.map(json.dumps))
def test_a_picture_gives_valid_settings_or_none_and_opens_no_other_file(tmp_path, text):
    path = tmp_path / "picture.png"
    path.write_bytes(_with(text))
    found = operations.examine(str(path), "picture.png", 1 << 20, str(tmp_path / "small.jpg"), 32)["recipe"]
    try:
        assert operations.recipe(str(path), "picture.png") == found
    except (ImpastoError, Problem):
        assert found is None
    if found is None:
        return
    chosen = Settings.from_mapping(found["settings"])
    assert chosen.init in OPTIONS["init"][1].words
    # What a client may order is checked once more, and no name in it is opened.
    requests.check_untrusted(chosen)
    assert set(found["changed"]) <= set(OPTIONS)
    for one in [found["content"], *found["styles"], *found["masks"], *found["style_masks"]]:
        assert set(one) == {"name", "sha256"} and all(isinstance(value, str) for value in one.values())
