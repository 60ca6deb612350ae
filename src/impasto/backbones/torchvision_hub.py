"""Owns the access to torchvision: its import, its networks without weights, and their files of weights."""

from __future__ import annotations

import difflib
import importlib
import pickle
import re
import sys
import warnings
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.error import URLError

import torch
from safetensors import safe_open
from torch import Tensor, nn

from impasto.backbones.backbone import WeightsFile
from impasto.errors import AssetError, SettingsError

#: How a torchvision network is named: `torchvision:resnet50`.
PREFIX = "torchvision:"

# Signatures of the operators for which torchvision registers shapes during its import.
_OPERATORS = dict.fromkeys(("nms", "qnms"), "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
# Weights that were ported from TensorFlow expect another input range; with these arguments the networks convert to it.
_ARGUMENTS = {
    name: {"transform_input": True, "init_weights": False, "aux_logits": True} for name in ("googlenet", "inception_v3")
}
# Parameter names in DenseNet's files, which are older than the present names.
_OLD_NAME = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)")
# Input normalization of ImageNet networks whose weights do not state theirs.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@cache
def models() -> ModuleType:
    """The module torchvision.models, even if torchvision's compiled operators do not load.

    Raises:
        SettingsError: torchvision is not installed.
    """
    try:
        with warnings.catch_warnings():
            # Warnings about missing image decoders, which are not used here.
            warnings.simplefilter("ignore")
            try:
                importlib.import_module("torchvision")
            except RuntimeError as error:
                if "torchvision::nms" not in str(error):
                    raise
                _declare_operators()
            return importlib.import_module("torchvision.models")
    except ImportError as error:
        raise SettingsError(
            "backbone", f"this backbone needs torchvision ({error}); run: pip install 'impasto[torchvision]'"
        ) from error


def _declare_operators() -> None:
    """Import torchvision with declarations in place of its compiled operators.

    The operators do not load if torchvision was built for another torch, such as a CUDA build with a CPU torch. The
    networks need no operators, but the import fails unless two of them are declared.
    """
    for name, signature in _OPERATORS.items():
        torch.library.define(f"torchvision::{name}", signature)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    importlib.import_module("torchvision")


def skeleton(name: str) -> nn.Module:
    """torchvision's network of that name on the meta device, in evaluation mode.

    Raises:
        SettingsError: torchvision has no classification network of that name, or is not installed.
    """
    known = models().list_models(module=models())
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(PREFIX + one for one in near)}?" if near else f"it has {', '.join(known)}"
        raise SettingsError("backbone", f"torchvision has no classification network {name!r}; {hint}")
    arguments = _ARGUMENTS.get(name, {})
    try:
        with torch.device("meta"):
            network: nn.Module = models().get_model(name, weights=None, **arguments)
    except NotImplementedError:
        # Some networks compute with tensor values while they are built. This must not advance the global random
        # generator.
        with torch.random.fork_rng(devices=()):
            network = models().get_model(name, weights=None, **arguments).to("meta")
    for module in network.modules():
        if getattr(module, "inplace", False):
            # A layer must not overwrite the features of the layer before.
            setattr(module, "inplace", False)  # noqa: B010  (not every module has it)
    return network.eval()


def normalization(name: str, file: str | None = None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the input normalization for the weights in `file`, or for the default weights.

    Args:
        name: name of the network.
        file: name of the file of weights; it identifies one of torchvision's sets of weights.
    """
    entries = models().get_model_weights(name)
    entry = next((one for one in entries if file and one.url.endswith(f"/{file}")), entries.DEFAULT)
    transforms = entry.transforms()
    return tuple(getattr(transforms, "mean", _MEAN)), tuple(getattr(transforms, "std", _DEVIATION))


def hub_file(name: str) -> Path:
    """Path of the default weights in the torch hub's cache, whether or not the file exists."""
    url: str = models().get_model_weights(name).DEFAULT.url
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]


def fetched(name: str) -> Path:
    """Path of the default weights in the torch hub's cache, downloaded if the file does not exist.

    Raises:
        AssetError: the download failed, or the file's hash differs from the one in its name.
    """
    url, path = models().get_model_weights(name).DEFAULT.url, hub_file(name)
    found = re.search(r"-([0-9a-f]{8,})\.", path.name)
    digest = found[1] if found else ""
    if not path.is_file():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), hash_prefix=digest or None, progress=False)
        except (URLError, OSError, RuntimeError) as error:
            raise AssetError(
                f"{PREFIX}{name} needs its weights, {path.name}, and {url} cannot be fetched ({_reason(error)}); fetch "
                f"it where there is a network, and put it into {path.parent} or name it with --weights FILE"
            ) from error
    elif not WeightsFile.of(path).sha256.startswith(digest):
        raise AssetError(
            f"{path} is damaged: its hash is not the one in its name; delete it to download it again from {url}"
        )
    return path


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)


def tensors(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """The weights of `network` from a file, by name.

    Args:
        path: a safetensors file, or a state dict saved by `torch.save`; only tensors are loaded.
        network: the network whose names and shapes the weights must have; the file may contain further tensors.

    Raises:
        SettingsError: the file cannot be read, has another format, or has another network's weights.
    """
    found = _read(path)
    wanted = network.state_dict()
    weights = {}
    for key, shape in ((key, value.shape) for key, value in wanted.items()):
        if key.endswith("num_batches_tracked"):
            # A counter of training steps, which inference does not use.
            weights[key] = torch.zeros((), dtype=torch.long)
            continue
        tensor = found.get(key)
        if tensor is None:
            missing = [name for name in wanted if name not in found and not name.endswith("num_batches_tracked")]
            raise SettingsError(
                "weights",
                f"{path.name} lacks {len(missing)} of the network's {len(wanted)} tensors, the first of them {key}; "
                f"it has {', '.join(list(found)[:3]) or 'none'}{', …' if len(found) > 3 else ''}",
            )
        if tensor.shape != shape:
            raise SettingsError(
                "weights",
                f"{path.name} has another network's weights: the shape of {key} is {tuple(tensor.shape)}, expected "
                f"{tuple(shape)}",
            )
        weights[key] = tensor.float()
    return weights


def _read(path: Path) -> dict[str, Tensor]:
    """All tensors in a file, by present parameter names."""
    suffix = path.suffix.lower()
    if suffix not in (".safetensors", ".pth", ".pt"):
        raise SettingsError(
            "weights", f"got {path.name}; it must be a .safetensors file, or a .pth file with nothing but tensors"
        )
    content: Any
    try:
        if suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                content = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a mapping)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SettingsError(
            "weights",
            f"{path.name} contains more than tensors, so it was not loaded; save its state dict as safetensors",
        ) from error
    except Exception as error:
        # torch.load raises many types of exceptions for files that are no pickles.
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
        raise SettingsError("weights", f"{path} cannot be read: {reason}") from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise SettingsError("weights", f"{path.name} is not a state dict: tensors by name")
    return {_OLD_NAME.sub(r"\1\2", str(key)): value for key, value in content.items()}
