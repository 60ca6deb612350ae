"""Owns the sanitizing of untrusted text for messages: text from files, file names and other libraries."""

from __future__ import annotations


def printable(text: str, longest: int = 120) -> str:
    """`text` on one line, without control characters or broken Unicode, cut to `longest` characters.

    File names, profile names and decoders' messages are untrusted, and are shown in logs and terminals.
    """
    clean = "".join(character if character.isprintable() else "?" for character in text)
    return clean if len(clean) <= longest else clean[: longest - 1] + "…"


def reason(error: BaseException) -> str:
    """The first line of a library's error message, sanitized; the exception's type if the message is empty."""
    lines = str(error).splitlines()
    return printable(lines[0]) if lines else type(error).__name__
