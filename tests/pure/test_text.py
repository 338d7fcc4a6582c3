"""One line of text: what people type and paste is taken, what would deceive them is not."""

import unicodedata

import pytest

from gatepost import BadInputError
from gatepost.base.text import is_line
from gatepost.rules.inputs import checked_description, checked_project

TAKEN = {
    "import\u00a0nocturne": "import nocturne",
    "cl\u00e9\u202f: import": "cl\u00e9 : import",
    "a \u00a0 \u2003b": "a b",
    "\u3000\u6771\u4eac\u3000\u30d0\u30c3\u30c1 ": "\u6771\u4eac \u30d0\u30c3\u30c1",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645": None,
    "\u0915\u094d\u200d\u0937": None,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 family": None,
    "\u2764\ufe0f\u200d\U0001f525": None,
    "\U0001f9d1\U0001f3fd\u200d\U0001f680": None,
    "\U0001fae9 new in Unicode 16": None,
    "\u05e2\u05d1\u05e8\u05d9\u05ea \u200f(API)": None,
    "e\u0301t\u00e9": "\u00e9t\u00e9",
    "soft\u00adware": "software",
    "\ufeffpasted": "pasted",
    "zero\u200bwidth\u2060": "zerowidth",
    "  around\t\n": "around",
    "<b> %_'\"\\ {{7*7}} \u00df": None,
}
REFUSED = {
    "a\u202eb": "the 2nd character is one that turns the direction of text (U+202E)",
    "a\u2066b": "the 2nd character is one that turns the direction of text (U+2066)",
    "ab\u206a": "the 3rd character is one that turns the direction of text (U+206A)",
    "a\x00b": "the 2nd character is a null character",
    "  a\nb": "the 4th character is a line break",
    "a\r\nb": "the 2nd character is a line break",
    "a\tb": "the 2nd character is a tab",
    "a\u2028b": "the 2nd character is a line separator",
    "a\u2029b": "the 2nd character is a paragraph separator",
    "0123456789a\x1bb": "the 12th character is a control character (U+001B)",
    "x" * 20 + "\x7f": "the 21st character is a control character (U+007F)",
    "a\ud800": "the 2nd character is half of a character (U+D800)",
    "a\U000e0041": "the 2nd character is an invisible character (U+E0041)",
    "a\ufff9b": "the 2nd character is an invisible character (U+FFF9)",
    "a\uffff": "the 2nd character is one that no font shows (U+FFFF)",
    "a\ue000": "the 2nd character is one that no font shows (U+E000)",
    "pay\u200dpal": "the 4th character is a joiner (U+200D) with nothing to join",
    "\u200cx": "the 1st character is a joiner (U+200C) with nothing to join",
    "\u0915\u200d\u200d": "the 3rd character is a joiner (U+200D) with nothing to join",
    "a\u00ad\u200db": "the 3rd character is a joiner (U+200D) with nothing to join",
}


@pytest.mark.parametrize(("text", "kept"), TAKEN.items())
def test_peoples_text_is_taken_with_ordinary_spaces(text: str, kept: str | None) -> None:
    found = checked_description(text)
    assert found == (text if kept is None else kept)
    assert is_line(found)
    assert unicodedata.is_normalized("NFC", found)
    assert checked_description(found) == found, "what was kept stays as it is when it is sent again"


@pytest.mark.parametrize(("text", "says"), REFUSED.items())
def test_what_would_deceive_people_is_refused_in_a_sentence_for_them(text: str, says: str) -> None:
    for check in (checked_description, checked_project):
        with pytest.raises(BadInputError) as refused:
            check(text)
        sentence = str(refused.value)
        assert says in sentence
        assert sentence.isascii()
        assert sentence.isprintable()
        assert "\\x" not in sentence
        assert "\\u" not in sentence
    assert is_line(text.strip()) is ("joiner" in says)


def test_names_are_compared_so_nothing_unseen_stands_in_them_and_old_ones_stay_as_they_are() -> None:
    for name in ("two  spaces", "e\u0301", "\u0645\u06cc\u200c\u062e", "\u00e9"):
        assert checked_project(name) == name
    assert checked_project("acme\u00a0labs") == "acme labs"
    for name in ("acme\u200b", "soft\u00adware", "a\u200fb", "\ufeffacme"):
        with pytest.raises(
            BadInputError, match=r"project has an invisible character \(U\+[0-9A-F]{4}\): type it again"
        ):
            checked_project(name)


def test_lengths_are_those_of_what_is_kept() -> None:
    assert len(checked_description("e\u0301" * 200)) == 200
    for text, says in (("x" * 201, "1 to 200 characters, not 201"), (" \u200b", "it is empty"), ("", "it is empty")):
        with pytest.raises(BadInputError, match=says):
            checked_description(text)
