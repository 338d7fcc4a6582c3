"""A baseline: what of the gaps is accepted, in a file that people read and edit."""

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

import orjson

from gatepost.base import BadInputError
from gatepost.coverage.gap import CODES, Gap

HEAD = """\
# What `gatepost coverage` may find without failing the check: by kind, the routes, entries and permissions.
# Take a line out once it is mended. Written by: gatepost coverage {app} --write-baseline {file}
"""

Accepted = Mapping[str, Sequence[str]]
"""By code, the subjects that are accepted, each as many times as it is written."""


def read_baseline(file: Path) -> Accepted:
    """What is accepted. Raises `BadInputError` for a file that is not there, or is none."""
    try:
        read = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise BadInputError(
            f"--check: there is no file {file}. Make it with --write-baseline {file}, look through it, and commit it"
        ) from None
    except (OSError, UnicodeDecodeError) as failure:
        raise BadInputError(f"--check: {file} cannot be read: {failure}") from failure
    except tomllib.TOMLDecodeError as failure:
        raise BadInputError(f"--check: {file} is not TOML: {failure}") from failure
    accepted: dict[str, list[str]] = {}
    for code, subjects in read.items():
        if code not in CODES:
            near = get_close_matches(code, CODES, 1)
            told = f"did you mean {near[0]}?" if near else f"there are: {', '.join(CODES)}"
            raise BadInputError(f"--check: {file}: {code!r:.50} is none of the things that coverage finds; {told}")
        if not isinstance(subjects, list) or not all(isinstance(each, str) for each in subjects):
            raise BadInputError(f'--check: {file}: {code} must be a list of texts, such as ["GET /me"]')
        accepted[code] = subjects
    return accepted


def write_baseline(file: Path, gaps: Sequence[Gap], app: str) -> None:
    """Accept all of these. Raises `BadInputError` where the file cannot be written."""
    text = HEAD.format(app=app, file=file)
    for code in CODES:
        subjects = sorted(gap.subject for gap in gaps if gap.code == code)
        if subjects:
            text += f"\n{code} = [\n" + "".join(f"  {_quoted(each)},\n" for each in subjects) + "]\n"
    try:
        file.write_text(text, "utf-8")
    except OSError as failure:
        raise BadInputError(f"--write-baseline: {file} cannot be written: {failure}") from failure


def new_in(gaps: Sequence[Gap], accepted: Accepted) -> Sequence[Gap]:
    """The gaps that are not accepted. Where several are of one subject, each must be."""
    left, new = _counted(accepted), []
    for gap in gaps:
        name = gap.code, gap.subject
        if left[name] > 0:
            left[name] -= 1
        elif gap.code in CODES:
            new.append(gap)
    return new


def gone_from(gaps: Sequence[Gap], accepted: Accepted) -> Sequence[str]:
    """What is accepted and not there any more, `code: subject`."""
    gone = _counted(accepted) - Counter((gap.code, gap.subject) for gap in gaps)
    return [f"{code}: {each}" for code, each in gone.elements()]


def _counted(accepted: Accepted) -> Counter[tuple[str, str]]:
    return Counter((code, each) for code, subjects in accepted.items() for each in subjects)


def _quoted(text: str) -> str:
    """A basic string of TOML: JSON's, but for one control character that TOML wants escaped too."""
    return orjson.dumps(text).decode().replace("\x7f", "\\u007f")
