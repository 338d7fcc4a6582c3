"""Which sources compiled code was made of. Used at the build too, which knows nothing else of gatepost."""

from hashlib import sha256
from pathlib import Path


def mark_of(folder: Path) -> str | None:
    """64 hexadecimal characters that change with the C in a folder; `None` = there is none, as in a wheel."""
    files = sorted(folder.glob("*.[ch]"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest() if files else None
