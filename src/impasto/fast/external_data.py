"""Owns whether an ONNX file takes tensors from other files, which ONNX calls external data.

ONNX Runtime opens such files by itself, relative to the working folder, so a model from a stranger could make it read
any file. The answer comes from the file's protocol buffer and not from a search for certain bytes, because one message
can be written in many ways. Only the messages that can hold a tensor are parsed; `onnx.proto` has their
field numbers (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), the encoding is that of
https://protobuf.dev/programming-guides/encoding. The package `onnx` is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

_TENSOR = "TensorProto"
# The fields of a tensor that say that its values are in another file.
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14

#: The messages from which a tensor can be reached: of each, the number of the field and the message it holds.
MESSAGES: Mapping[str, Mapping[int, str]] = MappingProxyType(
    {
        "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
        "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
        "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
        "GraphProto": {1: "NodeProto", 5: _TENSOR, 15: "SparseTensorProto"},
        "NodeProto": {5: "AttributeProto"},
        "AttributeProto": {
            5: _TENSOR,
            6: "GraphProto",
            10: _TENSOR,
            11: "GraphProto",
            22: "SparseTensorProto",
            23: "SparseTensorProto",
        },
        "SparseTensorProto": {1: _TENSOR, 2: _TENSOR},
        _TENSOR: {},
    }
)

# How the value of a field is encoded: the last three bits of its tag.
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED_SIZES = {_FIXED64: 8, _FIXED32: 4}
# Bytes of the longest varint, and the first number that is too large for a tag.
_LONGEST_VARINT, _TAGS = 10, 1 << 32


def takes_external_data(model: bytes) -> bool:
    """Whether any tensor of the model, in any graph, function or attribute, has its values in another file.

    Args:
        model: the bytes of an ONNX file.

    Raises:
        ValueError: the bytes are not a protocol buffer, or a field is not encoded as `onnx.proto` says.
    """
    pending = [(memoryview(model), "ModelProto")]
    while pending:
        data, message = pending.pop()
        children = MESSAGES[message]
        for number, encoding, value in _fields(data):
            if message == _TENSOR and number == _EXTERNAL_DATA:
                return True
            if message == _TENSOR and number == _DATA_LOCATION:
                if encoding != _VARINT:
                    raise ValueError("the location of a tensor is not a number")
                if value:
                    return True
            if number in children:
                if not isinstance(value, memoryview) or encoding != _BYTES:
                    raise ValueError(f"field {number} of a {message} is not a message")
                pending.append((value, children[number]))
    return False


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """The number, the encoding and the value of each field of a message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, encoding = tag >> 3, tag & 7
        if not number or tag >= _TAGS:
            raise ValueError("a field has no valid number")
        if encoding == _VARINT:
            value, at = _varint(data, at)
            yield number, encoding, value
            continue
        if encoding == _BYTES:
            size, at = _varint(data, at)
        elif encoding in _FIXED_SIZES:
            size = _FIXED_SIZES[encoding]
        else:
            # Groups, which `onnx.proto` does not use, and encodings that do not exist.
            raise ValueError(f"field {number} is encoded in an unknown way")
        if size > len(data) - at:
            raise ValueError("the data end within a field")
        yield number, encoding, data[at : at + size]
        at += size


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """The number that begins at a position, and the position behind it."""
    value = 0
    for index in range(_LONGEST_VARINT):
        if at + index >= len(data):
            break
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError("the data end within a number, or a number is too long")
