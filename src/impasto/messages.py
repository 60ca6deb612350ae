"""Owns the parts of messages: text from files and libraries on one printable line, and counts with their nouns."""

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


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 picture`, `2 pictures`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
