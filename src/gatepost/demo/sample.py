"""Fills a fresh store with a handful of files, so that there is something to list, fetch and edit."""

import io

from PIL import Image, ImageDraw

from gatepost.demo import curation
from gatepost.demo.store import AssetStore

_TEXTS = {
    "documents/welcome.txt": "Welcome to the asset store.\nList assets, fetch assets, share assets.\n",
    "documents/press.md": "# Press release\n\nGatepost guards this store. Every route asks for its own permission.\n",
}


def fill(store: AssetStore) -> None:
    """Make sample directories, files, labels and a collection. A store that has anything in it is left as it is."""
    if store.list_objects(all=True):
        return
    for directory in ("documents", "inbox", "photos", "photos/archive"):
        store.create_directory(directory)
    for path, text in _TEXTS.items():
        store.add(path, text.encode())
    store.add("photos/sunset.jpg", _sunset())
    store.add("photos/logo.png", _logo())
    for name, color in (("approved", "#2e7d32"), ("draft", "#f9a825")):
        curation.set_label(store, name, color)
    curation.change_file_labels(store, "photos/sunset.jpg", ["approved"])
    store.create_file_meta("photos/sunset.jpg", {"title": "Sunset over the sea", "year": 2024})
    store.set_file_visibility("documents/press.md", "private")
    curation.set_collection(store, "press kit", ["photos/logo.png", "documents/press.md"])


def _sunset() -> bytes:
    """A landscape of 640 x 400 pixels: an orange sky, darker upwards, over a blue sea. JPEG."""
    image = Image.new("RGB", (640, 400), (20, 60, 140))
    draw = ImageDraw.Draw(image)
    for y in range(260):
        draw.line((0, y, 640, y), fill=(150 + y * 100 // 260, 40 + y * 110 // 260, 30))
    draw.ellipse((270, 190, 370, 290), fill=(255, 230, 120))
    draw.rectangle((0, 260, 640, 400), fill=(20, 60, 140))
    return _encoded(image, "JPEG")


def _logo() -> bytes:
    """A square of 256 x 256 pixels: a green gatepost on transparent ground. PNG."""
    image = Image.new("RGBA", (256, 256), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((96, 24, 160, 240), radius=12, fill=(30, 130, 70, 255))
    draw.rectangle((32, 88, 224, 120), fill=(30, 130, 70, 255))
    return _encoded(image, "PNG")


def _encoded(image: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()
