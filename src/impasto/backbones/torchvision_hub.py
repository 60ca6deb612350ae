"""Owns torchvision as Impasto uses it: its import, its networks without weights, and the files their weights are in."""

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

# Signatures of the operators that torchvision registers shapes for while it is imported, compiled or not.
_OPERATORS = dict.fromkeys(("nms", "qnms"), "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
# Weights ported from TensorFlow expect pictures in another range, which these networks bring them to when told so.
_ARGUMENTS = {
    name: {"transform_input": True, "init_weights": False, "aux_logits": True} for name in ("googlenet", "inception_v3")
}
# DenseNet's files are older than its names.
_OLD_NAME = re.compile(r"(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)")
# What an ImageNet network is trained on, where its weights do not say.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@cache
def models() -> ModuleType:
    """torchvision's models, whether its compiled operators load or not.

    Raises:
        SettingsError: torchvision is not installed.
    """
    try:
        with warnings.catch_warnings():
            # Of image decoders that it does not find, and that nothing here needs.
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
            "backbone", f"this one needs torchvision ({error}): pip install 'impasto[torchvision]'"
        ) from error


def _declare_operators() -> None:
    """Make up for a build of torchvision whose operators do not load beside this torch, as CUDA's beside a CPU torch.

    Its networks need none of them, but its import stumbles over two that are not even declared.
    """
    for name, signature in _OPERATORS.items():
        torch.library.define(f"torchvision::{name}", signature)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    importlib.import_module("torchvision")


def skeleton(name: str) -> nn.Module:
    """torchvision's network of that name, with shapes and no numbers.

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
        # Some are drawn up with tensors, which then must have numbers. Nobody else's chance is to be disturbed by it.
        with torch.random.fork_rng(devices=()):
            network = models().get_model(name, weights=None, **arguments).to("meta")
    for module in network.modules():
        if getattr(module, "inplace", False):
            # What one layer gives must not be written over by the next.
            setattr(module, "inplace", False)  # noqa: B010  (not every module has it)
    return network.eval()


def normalization(name: str, file: str | None = None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation that pictures are brought to, as the weights in `file` say, or else the default ones.

    Args:
        name: of the network.
        file: name of the file of weights, by which torchvision's own are told from each other.
    """
    entries = models().get_model_weights(name)
    entry = next((one for one in entries if file and one.url.endswith(f"/{file}")), entries.DEFAULT)
    transforms = entry.transforms()
    return tuple(getattr(transforms, "mean", _MEAN)), tuple(getattr(transforms, "std", _DEVIATION))


def hub_file(name: str) -> Path:
    """Where the hub keeps, or would keep, the default weights of a network."""
    url: str = models().get_model_weights(name).DEFAULT.url
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rpartition("/")[2]


def fetched(name: str) -> Path:
    """The hub's file of default weights, fetched if it is not there yet.

    Raises:
        AssetError: it cannot be fetched, or is not what its name says.
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
        raise AssetError(f"{path} is not what its name says it is; delete it, and it will be fetched again from {url}")
    return path


def _reason(error: Exception) -> str:
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)


def tensors(path: Path, network: nn.Module) -> dict[str, Tensor]:
    """The weights in a file for all of `network`, which is as deep as it will be used.

    Args:
        path: safetensors, or what `torch.save` wrote of a state dict, in which nothing but tensors is looked at.
        network: whose names and shapes the weights must have; the file may hold more than it needs.

    Raises:
        SettingsError: the file cannot be read, is of another form, or holds another network's weights.
    """
    found = _read(path)
    wanted = network.state_dict()
    weights = {}
    for key, shape in ((key, value.shape) for key, value in wanted.items()):
        if key.endswith("num_batches_tracked"):
            # Counts the steps of the training; nobody asks.
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
                f"{path.name} is another network's: {key} has the shape {tuple(tensor.shape)} in it, and should have "
                f"{tuple(shape)}",
            )
        weights[key] = tensor.float()
    return weights


def _read(path: Path) -> dict[str, Tensor]:
    """All tensors in a file, by their names of today."""
    suffix = path.suffix.lower()
    if suffix not in (".safetensors", ".pth", ".pt"):
        raise SettingsError("weights", f"got {path.name}; it must be a .safetensors file, or a .pth of tensors alone")
    content: Any
    try:
        if suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                content = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  (not a mapping)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SettingsError(
            "weights", f"{path.name} holds more than tensors, and is not opened; save a state dict of it as safetensors"
        ) from error
    except Exception as error:
        # What is no pickle fails in whatever way it comes to.
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0] or type(error).__name__
        raise SettingsError("weights", f"{path} cannot be read: {reason}") from error
    if isinstance(content, dict) and isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise SettingsError("weights", f"{path.name} is not a state dict: tensors by name")
    return {_OLD_NAME.sub(r"\1\2", str(key)): value for key, value in content.items()}
