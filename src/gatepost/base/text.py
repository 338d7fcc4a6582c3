"""One line of text, as people type or paste it: what may stand in it, and what is made of its spaces. Pure.

Texts are for people, so all scripts are welcome with what they need: joiners (Persian, Hindi, emoji), direction marks
(Arabic, Hebrew). What would break a line, turn its direction round, or stand there unseen is refused or left out.
"""

import re
import unicodedata

from gatepost.base.errors import BadInputError

JOINERS = "\u200c\u200d"
"""Zero width non-joiner and joiner: letters that belong together, or must not be joined."""

MARKS = "\u061c\u200e\u200f"
"""Direction marks: they tell where a neutral character belongs, and turn nothing round."""

NOTHING = "\u00ad\u200b\u2060\ufeff"
"""Where a line may or must not be broken, and the mark at the start of a file: nothing to see on one line."""

_UNSEEN = frozenset(JOINERS + MARKS + NOTHING)

_WELCOME = frozenset(
    MARKS + NOTHING + "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Beside these, signs that stand before or around numbers: "format characters" only by their category."""

_NEW_EMOJI = range(0x1F000, 0x1FC00)
"""Blocks where each version of Unicode has new emoji, which an older Python does not know."""

_NAMES = {
    "\0": "a null character",
    "\t": "a tab",
    "\n": "a line break",
    "\r": "a line break",
    "\x0b": "a line break",
    "\x0c": "a page break",
    "\x85": "a line break",
    "\u2028": "a line separator",
    "\u2029": "a paragraph separator",
}
_KINDS = {"Cc": "a control character", "Cs": "half of a character", "Cf": "an invisible character"}
_TURNS = re.compile("[\u202a-\u202e\u2066-\u206f]")
_SPACES = re.compile(" {2,}")
_TENS_WITH_TH = (11, 12, 13)


def checked_line(name: str, text: str) -> str:
    """`text` with ordinary spaces for those of other kinds, and none around it. Raises `BadInputError`, which names the
    argument `name` and the first character that cannot stand there."""
    if not isinstance(text, str):
        raise BadInputError(f"{name} must be a str, not {type(text).__name__}", name)
    first = len(text) - len(text.lstrip())
    text = text.strip()
    for number, (before, character) in enumerate(zip(" " + text, text, strict=False), first + 1):
        fault = _fault(character, before)
        if fault is not None:
            raise BadInputError(
                f"{name}: the {_ordinal(number)} character is {fault}, which cannot stand in one line of text", name
            )
    return "".join(" " if unicodedata.category(each) == "Zs" else each for each in text)


def tidy_line(text: str) -> str:
    """A line as it is best kept for people: composed (NFC), one space where there are several, and without what nobody
    sees."""
    for character in NOTHING:
        text = text.replace(character, "")
    return _SPACES.sub(" ", unicodedata.normalize("NFC", text)).strip()


def is_line(text: str) -> bool:
    """Whether a text can be such a line, wherever its joiners stand: they may have been there before they were asked
    what they join."""
    return all(_fault(character, "\u0915") is None for character in text)


def _fault(character: str, before: str) -> str | None:
    """What is wrong with a character that stands behind `before`; `None` = nothing."""
    category = unicodedata.category(character)
    if character.isprintable() or category == "Zs" or character in _WELCOME:
        return None
    code = f"(U+{ord(character):04X})"
    if character in JOINERS:  # behind a Latin letter or what nobody sees it would be there to deceive
        joins = not (before.isascii() or before.isspace() or before in _UNSEEN)
        return None if joins else f"a joiner {code} with nothing to join"
    if category == "Cn" and ord(character) in _NEW_EMOJI:
        return None
    if _TURNS.match(character):
        return f"one that turns the direction of text {code}"
    return _NAMES.get(character, f"{_KINDS.get(category, 'one that no font shows')} {code}")


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in _TENS_WITH_TH else ending}"
