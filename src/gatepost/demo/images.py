"""Image edits, and tags read from a file's content. Pure: a file's bytes in, bytes or tags out."""

import colorsys
import io
import re
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from PIL import Image, ImageOps

from gatepost.demo.errors import BadValueError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
"""What is opened as an image at all: the decoders of rarer formats stay out of reach of strangers' bytes."""

SIDE_MAX = 8_000
"""Most pixels along one side of an image, before and after an edit."""

PIXELS_MAX = 40_000_000
"""Most pixels of an image: at four bytes each, 160 MB while it is worked on."""

EDITS_MAX = 10
"""Most edits in one call."""

_COMMON = frozenset(("that", "this", "with", "from", "have", "will", "your", "they", "what", "when", "which", "their"))
"""English words too frequent to say anything."""

_UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, struct.error, Image.DecompressionBombError, Warning)
"""What Pillow raises for bytes that are no sound image, or one that would unpack to far too much."""

_MAGIC = {b"%PDF-": "application/pdf", b"PK\x03\x04": "application/zip", b"\x1f\x8b": "application/gzip"}
_HUES = ((15, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (195, "cyan"), (260, "blue"), (295, "purple"))
"""A colour's name by where its hue ends, in degrees; what lies beyond the last is pink, then red again from 345."""


def edit(data: bytes, operations: Sequence[Mapping[str, object]]) -> bytes:
    """The image after the operations, one after the other, in its own format.

    An operation is an object with one member: `{"rotate": 90}` (degrees clockwise), `{"resize": [width, height]}`
    (pixels), `{"crop": [left, top, right, bottom]}` (pixels), `{"grayscale": true}`. Metadata in the image (EXIF) is
    dropped, after turning it the way that it says. Raises `BadValueError` for what is no image, or no such operation.
    """
    if not 0 < len(operations) <= EDITS_MAX:
        raise BadValueError(f"operations holds 1 to {EDITS_MAX} edits.")
    image, kind = _opened(data)
    if getattr(image, "n_frames", 1) > 1:
        raise BadValueError("An image of several frames cannot be edited.")
    image = _plain(image)
    for operation in operations:
        if len(operation) != 1 or not operation.keys() <= _EDITS.keys():
            raise BadValueError(f"An edit has one member, one of: {', '.join(_EDITS)}.")
        ((name, value),) = operation.items()
        image = _EDITS[name](image, value)
        _check_size(image.size)
    out = io.BytesIO()
    image.save(out, kind, quality=90)  # only JPEG and WEBP heed it
    return out.getvalue()


def tags(data: bytes) -> list[str]:
    """What the content says of itself, as `aspect:value`, always with a `type:` (MIME).

    Of an image: `width:` and `height:` in pixels, `orientation:`, `color:` for each that covers a tenth or more of what
    is not transparent.
    Of a text in UTF-8: `lines:` and the five most frequent words of four letters or more, as `word:`.
    """
    try:
        image, kind = _opened(data)
    except BadValueError:
        return _text_tags(data)
    width, height = image.size
    orientation = "square" if width == height else "landscape" if width > height else "portrait"
    sizes = [f"width:{width}", f"height:{height}", f"orientation:{orientation}"]
    return [f"type:{Image.MIME[kind]}", *sizes, *(f"color:{name}" for name in _colours(image))]


def _opened(data: bytes) -> tuple[Image.Image, str]:
    """The decoded image, turned as its EXIF says, and its format. Raises `BadValueError`."""
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
        kind = image.format if image.format in FORMATS else "JPEG"  # a camera's MPO is a JPEG with more behind it
        _check_size(image.size)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    except BadValueError:
        raise
    except _UNREADABLE as error:
        raise BadValueError(f"This is no image that can be read; known are {', '.join(FORMATS)}.") from error
    return image, kind


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if not (0 < width <= SIDE_MAX and 0 < height <= SIDE_MAX and width * height <= PIXELS_MAX):
        raise BadValueError(f"An image has at most {SIDE_MAX} pixels a side and {PIXELS_MAX} in all.")


def _plain(image: Image.Image) -> Image.Image:
    """The image in a mode that every edit works on: grey, colour, or colour with transparency."""
    mode = "RGBA" if image.has_transparency_data else "L" if image.mode in {"1", "L"} else "RGB"
    return image.convert(mode)


def _numbers(name: str, value: object, count: int) -> list[int]:
    numbers = [number for number in value if type(number) is int] if isinstance(value, list) else []
    if len(numbers) != count or not isinstance(value, list) or len(value) != count:
        raise BadValueError(f"{name} takes a list of {count} whole numbers.")
    return numbers


def _rotate(image: Image.Image, value: object) -> Image.Image:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -360 <= value <= 360:  # noqa: PLR2004
        raise BadValueError("rotate takes degrees clockwise, from -360 to 360.")
    return image.rotate(-value, expand=True)


def _resize(image: Image.Image, value: object) -> Image.Image:
    width, height = _numbers("resize", value, 2)
    _check_size((width, height))
    return image.resize((width, height))


def _crop(image: Image.Image, value: object) -> Image.Image:
    left, top, right, bottom = _numbers("crop", value, 4)
    if not (0 <= left < right <= image.width and 0 <= top < bottom <= image.height):
        raise BadValueError(f"crop must lie inside the image, which has {image.width} x {image.height} pixels.")
    return image.crop((left, top, right, bottom))


def _grayscale(image: Image.Image, value: object) -> Image.Image:
    if value is not True:
        raise BadValueError("grayscale takes true.")
    return image.convert("LA").convert("RGBA") if image.mode == "RGBA" else image.convert("L")


_EDITS: Mapping[str, Callable[[Image.Image, object], Image.Image]] = {
    "rotate": _rotate,
    "resize": _resize,
    "crop": _crop,
    "grayscale": _grayscale,
}


def _colours(image: Image.Image) -> list[str]:
    """Names of the colours that each cover at least a tenth of the image, most of it first."""
    small = image.convert("RGBA").resize((32, 32), Image.Resampling.BOX)
    pixels = zip(*(small.getchannel(band).tobytes() for band in "RGBA"), strict=True)
    covered = Counter(_colour(*rgb) for *rgb, opacity in pixels if opacity > 127)  # noqa: PLR2004 - half or more
    return [name for name, count in covered.most_common() if count * 10 >= covered.total()]


def _colour(red: int, green: int, blue: int) -> str:
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    if value < 0.2:  # noqa: PLR2004 - too dark to see a hue
        return "black"
    if saturation < 0.15:  # noqa: PLR2004 - too pale to see one
        return "white" if value > 0.9 else "gray"  # noqa: PLR2004
    degrees = (hue * 360 + 15) % 360 - 15
    return next((name for end, name in _HUES if degrees < end), "pink")


def _text_tags(data: bytes) -> list[str]:
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            return [f"type:{kind}"]
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return ["type:application/octet-stream"]
    if "\0" in text:
        return ["type:application/octet-stream"]
    words = Counter(word for word in re.findall(r"[^\W\d_]{4,}", text.lower()) if word not in _COMMON)
    frequent = [f"word:{word}" for word, _ in words.most_common(5)]
    return ["type:text/plain", f"lines:{len(text.splitlines())}", *frequent]
