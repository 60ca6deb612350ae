"""Owns every error and warning that Impasto raises on purpose.

```
ImpastoError                the base: catch this one to catch them all
├── SettingsError           a setting is unknown, malformed or out of range; names the setting
├── ImageError              a picture cannot be used
│   ├── ImageReadError      ... because it is missing, damaged, too large or of an unknown kind
│   └── ImageWriteError     ... because it cannot be written where it was asked to go
├── CheckpointError         a checkpoint cannot be read or written, or belongs to another task
├── AssetError              a bundled file, or a network's file of weights, is missing or damaged
├── ModelError              a file is not a usable model
├── DeviceError             the requested device is not on this machine, or ran out of memory
└── OptimizationError       the optimisation cannot continue; the best picture so far was kept

ImpastoWarning              the base of the warnings: the work continues, but not exactly as requested
└── SettingsWarning         a setting has no effect; names the setting
```

A message says what was wrong, what was received, and what is allowed or what to do. It is one line, written for users;
the command shows it without a stack trace.
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
    """A checkpoint cannot be read or written, or belongs to another task than the one to resume."""


class AssetError(ImpastoError):
    """A bundled file, or a network's file of weights, is missing or damaged."""


class ModelError(ImpastoError):
    """A model is missing, or its file is damaged or has another format or version."""


class DeviceError(ImpastoError):
    """The requested device is not on this machine, or ran out of memory."""


class OptimizationError(ImpastoError):
    """The optimisation cannot continue."""


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error means that memory ran out; torch's errors for this have no common type."""
    if isinstance(error, RuntimeError):
        # The second is what oneDNN says where it gets no memory.
        return "memory" in str(error) or "could not create a primitive" in str(error)
    return isinstance(error, MemoryError)


class ImpastoWarning(UserWarning):
    """The work continues, but not exactly as requested."""


class SettingsWarning(ImpastoWarning):
    """A setting has no effect, given the others.

    Attributes:
        setting: name of the setting as in `Settings`.
        reason: why it has no effect.
    """

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(f"{setting} has no effect: {reason}")
        self.setting = setting
        self.reason = reason

    def __reduce__(self) -> tuple[type[SettingsWarning], tuple[str, str]]:
        return type(self), (self.setting, self.reason)
