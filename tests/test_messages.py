"""What files and libraries say is fit to be printed: on one line, without control characters, and not too long."""

from hypothesis import given
from hypothesis import strategies as st

from impasto.messages import printable, reason


@given(st.text(), st.integers(2, 40))
def test_any_text_is_one_printable_line(text, longest):
    shown = printable(text, longest)
    assert shown.isprintable()
    assert len(shown) <= longest


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_what_can_be_printed_stays(text):
    assert printable(text, max(2, len(text))) == text


def test_control_characters_and_broken_unicode_are_replaced():
    assert printable("a\x1b[31mb\nc\udcffd") == "a?[31mb?c?d"


def test_what_is_cut_says_so():
    assert printable("abcdef", 4) == "abc…"
    assert printable("abcd", 4) == "abcd"
    assert printable("x" * 500).endswith("…")


def test_the_reason_is_the_first_line_of_an_exception():
    assert reason(ValueError("no header\nat offset 3")) == "no header"
    assert reason(ValueError("bell \a")) == "bell ?"


def test_an_exception_without_words_has_its_type():
    assert reason(EOFError()) == "EOFError"
