"""Owns every error and warning that Impasto raises on purpose.

```
ImpastoError                the base: catch this one to catch them all
├── SettingsError           a setting is unknown, malformed or out of range; names the setting
├── ImageError              a picture cannot be used
│   ├── ImageReadError      ... because it is missing, damaged, too large or of an unknown kind
│   └── ImageWriteError     ... because it cannot be written where it was asked to go
├── CheckpointError         a checkpoint cannot be read or written, or is of another painting
├── AssetError              a bundled file, or a network's weights, are missing or are not what they should be
├── ModelError              a file is not a model that can be used
├── DeviceError             the device asked for is not on this machine, or ran out of memory
└── OptimizationError       the optimisation cannot go on; whatever was best so far was kept

ImpastoWarning              the base of the warnings: the work goes on, but something was not as asked
└── SettingsWarning         a setting has no effect; names the setting
```

A message says what was wrong, what was received, and what is allowed or what to do. It is written for the person at the
keyboard, on one line, without a stack trace.
"""

from __future__ import annotations


class ImpastoError(Exception):
    """Base class of all errors that Impasto raises on purpose."""


class SettingsError(ImpastoError):
    """A setting is unknown, malformed or out of range.

    Attributes:
        setting: name of the setting as in `Settings`, for example `"content_weight"`.
    """

    def __init__(self, setting: str, message: str) -> None:
        super().__init__(f"{setting}: {message}")
        self.setting = setting
        self.message = message

    def __reduce__(self) -> tuple[type[SettingsError], tuple[str, str]]:
        return type(self), (self.setting, self.message)


class ImageError(ImpastoError):
    """A picture cannot be used."""


class ImageReadError(ImageError):
    """A picture is missing, damaged, too large or of an unknown kind."""


class ImageWriteError(ImageError):
    """A picture cannot be written where it was asked to go."""


class CheckpointError(ImpastoError):
    """A checkpoint cannot be read or written, or is of another painting than the one to go on with."""


class AssetError(ImpastoError):
    """A bundled file, or a network's weights, are missing or are not what they should be."""


class ModelError(ImpastoError):
    """A model is missing, or its file is damaged, of another kind or of another version."""


class DeviceError(ImpastoError):
    """The device asked for is not on this machine, or its memory is used up."""


class OptimizationError(ImpastoError):
    """The optimisation cannot go on."""


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error says that memory is used up: what torch raises for it has no type in common."""
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in str(error))


class ImpastoWarning(UserWarning):
    """The work goes on, but something was not as asked."""


class SettingsWarning(ImpastoWarning):
    """A setting has no effect beside the others.

    Attributes:
        setting: name of the setting as in `Settings`.
        reason: why it has none.
    """

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting} has no effect: {reason}")
        self.setting = setting
        self.reason = reason

    def __reduce__(self) -> tuple[type[SettingsWarning], tuple[str, str]]:
        return type(self), (self.setting, self.reason)
