"""The asset store without HTTP: what each operation leaves on disk, what it refuses, and what outlives a restart."""

import io
import threading
from pathlib import Path

import pytest
from PIL import Image

from gatepost.demo import curation, images, sample, sharing
from gatepost.demo.errors import (
    BadPathError,
    BadValueError,
    ConflictError,
    NotFoundError,
    StoreError,
    TooLargeError,
)
from gatepost.demo.ledger import UPLOAD_MAX_BYTES, Link
from gatepost.demo.store import AssetStore, Content
from tests.demo.conftest import Clock, image_bytes, snapshot

TRAVERSALS = [
    "..",
    "../ledger.json",
    "docs/../../ledger.json",
    "docs/..",
    ".",
    "docs/./note.txt",
    "/etc/passwd",
    "//etc/passwd",
    "docs//note.txt",
    "docs/",
    "..\\ledger.json",
    "docs\\note.txt",
    "note\0.txt",
    "note\n.txt",
    "\udc80.txt",
    "n" * 256,
    "/".join(["deep"] * 300),
]


def test_an_uploaded_file_is_on_disk_and_comes_back_byte_for_byte(store: AssetStore, root: Path) -> None:
    data = bytes(range(256))
    assert store.add("docs/raw.bin", data)["bytes"] == 256
    assert (root / "files/docs/raw.bin").read_bytes() == data
    assert store.fetch("docs/raw.bin") == Content(data, "application/octet-stream")


@pytest.mark.parametrize("path", TRAVERSALS)
def test_a_path_that_leads_out_is_refused_everywhere_and_changes_nothing(
    store: AssetStore, root: Path, path: str
) -> None:
    before = snapshot(root)
    for attempt in (
        lambda: store.fetch(path),
        lambda: store.add(path, b"x"),
        lambda: store.create_directory(path),
        lambda: store.delete_file(path),
        lambda: store.delete_directory(path, recursive=True),
        lambda: store.move_file("docs/note.txt", path),
        lambda: store.rename_file("docs/note.txt", path),
        lambda: store.rename_directory("docs", path),
        lambda: store.list_objects(path),
        lambda: sharing.create_share(store, path),
        lambda: sharing.create_airbox(store, path),
    ):
        with pytest.raises(BadPathError):
            attempt()
    assert snapshot(root) == before


@pytest.mark.parametrize("path", ["link", "link/secret.txt", "docs/file-link"])
def test_a_symbolic_link_in_the_tree_is_neither_followed_nor_listed(
    store: AssetStore, root: Path, tmp_path: Path, path: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    (root / "files/link").symlink_to(outside)
    (root / "files/docs/file-link").symlink_to(outside / "secret.txt")
    with pytest.raises(BadPathError):
        store.fetch(path)
    with pytest.raises(BadPathError):
        store.add(path, b"overwritten")
    assert not [found for found in store.list_objects(deep=True) if "link" in found["path"]]
    store.delete_directory("docs", recursive=True)
    assert (outside / "secret.txt").read_text() == "secret"


def test_an_upload_beyond_the_limit_is_refused_and_leaves_nothing(store: AssetStore, root: Path) -> None:
    before = snapshot(root)
    with store.start_upload("docs/big.bin") as upload:
        for _ in range(UPLOAD_MAX_BYTES // 65536):
            upload.write(bytes(65536))
        with pytest.raises(TooLargeError):
            upload.write(b"x")
    assert snapshot(root) == before


def test_an_upload_that_breaks_off_leaves_nothing(store: AssetStore, root: Path) -> None:
    before = snapshot(root)
    with store.start_upload("docs/half.bin") as upload:
        upload.write(b"half")
    assert snapshot(root) == before


def test_an_upload_replaces_a_file_only_if_asked_and_drops_the_tags_of_the_old_content(store: AssetStore) -> None:
    store.autotag("docs/note.txt")
    with pytest.raises(ConflictError):
        store.add("docs/note.txt", b"new")
    with store.start_upload("docs/note.txt", replace=True) as upload:
        upload.write(b"new")
        assert store.finish_upload(upload)["tags"] == []
    assert store.fetch("docs/note.txt").data == b"new"


def test_of_two_uploads_to_one_path_the_second_to_finish_is_refused(store: AssetStore) -> None:
    with store.start_upload("docs/race.txt") as first, store.start_upload("docs/race.txt") as second:
        first.write(b"first")
        second.write(b"second")
        store.finish_upload(first)
        with pytest.raises(ConflictError):
            store.finish_upload(second)
    assert store.fetch("docs/race.txt").data == b"first"


def test_what_refers_to_a_directory_or_a_file_in_it_follows_a_move_and_goes_with_a_deletion(store: AssetStore) -> None:
    store.create_file_meta("docs/old/plan.txt", {"title": "Plan"})
    store.change_accesses("docs/old", ["alice"])
    curation.set_collection(store, "plans", ["docs/old/plan.txt", "docs/note.txt"])
    approval = curation.request_approval(store, "docs/old/plan.txt")
    share = sharing.create_share(store, "docs/old")
    airbox = sharing.create_airbox(store, "docs/old")
    store.move_directory("docs/old", "photos")
    store.rename_directory("photos/old", "new")
    assert store.describe("photos/new/plan.txt")["meta"] == {"title": "Plan"}
    assert store.read_accesses("photos/new")["names"] == ["alice"]
    assert curation.list_collections(store)[0]["files"] == ["photos/new/plan.txt", "docs/note.txt"]
    assert curation.list_approvals(store) == [approval | {"path": "photos/new/plan.txt"}]
    assert [link["path"] for link in sharing.list_shares(store) + sharing.list_airboxes(store)] == ["photos/new"] * 2
    assert sharing.open_share(store, token_of(share)) == [{"path": "plan.txt"}]
    store.delete_directory("photos/new", recursive=True)
    assert curation.list_collections(store)[0]["files"] == ["docs/note.txt"]
    assert curation.list_approvals(store) == sharing.list_shares(store) == sharing.list_airboxes(store) == []
    store.create_directory("photos/new")
    assert store.read_accesses("photos/new")["names"] is None
    with pytest.raises(NotFoundError):
        sharing.open_airbox(store, token_of(airbox))


def test_a_move_never_overwrites_never_enters_itself_and_never_takes_the_top(store: AssetStore, root: Path) -> None:
    store.add("note.txt", b"another")
    before = snapshot(root)
    for refused in (
        lambda: store.move_file("note.txt", "docs"),
        lambda: store.rename_file("docs/note.txt", "old"),
        lambda: store.move_directory("docs", "docs"),
        lambda: store.move_directory("docs", "docs/old"),
        lambda: store.rename_directory("", "top"),
        lambda: store.delete_directory("", recursive=True),
        lambda: store.move_file("note.txt", "nowhere"),
        lambda: store.move_file("docs", "photos"),
        lambda: store.move_directory("note.txt", "photos"),
        lambda: store.delete_file("docs"),
        lambda: store.delete_directory("note.txt"),
        lambda: store.delete_directory("docs"),
    ):
        with pytest.raises(StoreError):
            refused()
    assert snapshot(root) == before


def test_a_directory_is_not_moved_to_where_its_files_could_no_longer_be_addressed(store: AssetStore) -> None:
    long = "docs"
    for _ in range(4):
        long += "/" + "d" * 200
        store.create_directory(long)
    store.create_directory("photos/" + "p" * 250)
    with pytest.raises(BadPathError):
        store.move_directory("docs", "photos/" + "p" * 250)
    assert store.describe(long)["kind"] == "directory"


def test_metadata_is_created_once_changed_only_if_there_and_removed_by_none(store: AssetStore) -> None:
    store.create_file_meta("docs/note.txt", {"title": "Note", "year": 2024})
    with pytest.raises(ConflictError):
        store.create_file_meta("docs/note.txt", {"title": "Other"})
    with pytest.raises(NotFoundError):
        store.change_file_meta("docs/note.txt", {"author": "me"})
    with pytest.raises(BadValueError):
        store.create_file_meta("docs/note.txt", {" ": "blank"})
    assert store.change_file_meta("docs/note.txt", {"title": None, "year": 2025})["meta"] == {"year": 2025}
    assert store.change_directory_meta("docs", {"owner": "me"})["meta"] == {"owner": "me"}


def test_listings_leave_out_what_is_private_unless_asked_and_can_be_narrowed(store: AssetStore) -> None:
    def listed(**options: bool | str) -> list[str]:
        return [found["path"] for found in store.list_objects(deep=True, **options)]  # type: ignore[arg-type]

    curation.change_file_labels(store, "docs/note.txt", ["draft"])
    store.autotag("photos/red.png")
    assert listed(label="draft") == ["docs/note.txt"]
    assert listed(tag="color:red") == ["photos/red.png"]
    assert [found["path"] for found in store.list_objects("docs")] == ["docs/note.txt", "docs/old"]
    store.set_directory_visibility("docs", "private")
    assert listed() == ["inbox", "photos", "photos/red.png"]
    assert "docs/old/plan.txt" in listed(all=True)
    store.set_directory_visibility("docs", "public")
    store.set_file_visibility("docs/note.txt", "private")
    assert "docs/note.txt" not in listed()
    assert "docs/old/plan.txt" in listed()


def test_a_person_sees_a_directory_only_if_every_list_on_the_way_names_them(store: AssetStore) -> None:
    store.change_accesses("docs", ["alice", "bob"])
    store.change_accesses("docs/old", ["bob"])
    assert store.fetch("docs/note.txt", person="alice").data
    assert store.fetch("docs/old/plan.txt", person="bob").data
    assert store.fetch("docs/old/plan.txt").data
    for person in ("alice", "carol"):
        with pytest.raises(NotFoundError):
            store.fetch("docs/old/plan.txt", person=person)
    assert "docs/old" not in [found["path"] for found in store.list_objects(deep=True, person="alice")]
    store.change_accesses("docs", [])
    with pytest.raises(NotFoundError):
        store.describe("docs/note.txt", person="bob")
    store.change_accesses("docs", None)
    assert store.describe("docs/note.txt", person="carol")["kind"] == "file"


def token_of(link: dict[str, str]) -> str:
    """The token in a link as it was told when it was made."""
    return link["url"].rpartition("/")[2]


def test_a_share_opens_what_is_public_under_it_until_it_expires_or_is_deleted(store: AssetStore, clock: Clock) -> None:
    share = sharing.create_share(store, "docs", seconds=60)
    token = token_of(share)
    assert sharing.open_share(store, token) == [{"path": "note.txt"}, {"path": "old/plan.txt"}]
    opened = sharing.open_share(store, token, "old/plan.txt")
    assert isinstance(opened, Content)
    assert opened.data == b"An old plan.\n"
    for path in ("../photos/red.png", "..", "/docs/note.txt"):
        with pytest.raises(BadPathError):
            sharing.open_share(store, token, path)
    store.set_directory_visibility("docs/old", "private")
    assert sharing.open_share(store, token) == [{"path": "note.txt"}]
    with pytest.raises(NotFoundError):
        sharing.open_share(store, token, "old/plan.txt")
    clock.now += 60
    with pytest.raises(NotFoundError):
        sharing.open_share(store, token)
    clock.now -= 60
    sharing.delete_share(store, share["id"])
    with pytest.raises(NotFoundError):
        sharing.open_share(store, token)


@pytest.mark.parametrize("token", ["", "wrong", "\udc80", "x" * 10_000])
def test_an_invented_token_opens_nothing(store: AssetStore, token: str) -> None:
    for attempt in (
        lambda: sharing.open_share(store, token),
        lambda: sharing.open_airbox(store, token),
        lambda: sharing.start_drop(store, token, "x.txt"),
    ):
        with pytest.raises(NotFoundError):
            attempt()


def drop(store: AssetStore, token: str, name: str, data: bytes) -> dict[str, object]:
    """Drop a file through an airbox; what its sender is told."""
    with sharing.start_drop(store, token, name) as upload:
        upload.write(data)
        return store.finish_upload(upload)


def test_an_airbox_takes_so_many_files_and_overwrites_none(store: AssetStore) -> None:
    token = token_of(sharing.create_airbox(store, "inbox", files=3))
    assert drop(store, token, "cv.txt", b"1") == {"name": "cv.txt", "bytes": 1}
    assert drop(store, token, "cv.txt", b"22") == {"name": "cv (2).txt", "bytes": 2}
    for name in ("../escape.txt", "a/b.txt", "..", ""):
        with pytest.raises(BadPathError):
            drop(store, token, name, b"x")
    assert sharing.open_airbox(store, token)["remaining"] == 1
    assert drop(store, token, ".profile", b"3") == {"name": ".profile", "bytes": 1}
    with pytest.raises(ConflictError):
        drop(store, token, "more.txt", b"4")
    assert [store.fetch(f"inbox/{name}").data for name in ("cv.txt", "cv (2).txt", ".profile")] == [b"1", b"22", b"3"]


def test_an_airbox_that_is_closed_during_an_upload_does_not_take_it(store: AssetStore, root: Path) -> None:
    airbox = sharing.create_airbox(store, "inbox")
    with sharing.start_drop(store, token_of(airbox), "late.txt") as upload:
        sharing.delete_airbox(store, airbox["id"])
        with pytest.raises(NotFoundError):
            store.finish_upload(upload)
    assert not list((root / "files/inbox").iterdir())


def test_a_token_is_stored_only_as_its_digest(store: AssetStore, root: Path) -> None:
    tokens = [token_of(sharing.create_share(store, "docs")), token_of(sharing.create_airbox(store, "inbox"))]
    everything = b"".join(content or b"" for content in snapshot(root).values())
    assert not [token for token in tokens if token.encode() in everything]
    assert not [token for token in tokens if token in str(sharing.list_shares(store) + sharing.list_airboxes(store))]


def test_an_approval_is_decided_by_as_many_equal_votes_as_its_quorum_and_then_closed(store: AssetStore) -> None:
    approval_id = curation.request_approval(store, "docs/note.txt", quorum=2)["id"]
    assert curation.vote(store, approval_id, "alice", "approve")["state"] == "open"
    assert curation.vote(store, approval_id, "alice", "approve")["state"] == "open"
    assert curation.vote(store, approval_id, "bob", "reject")["state"] == "open"
    assert curation.vote(store, approval_id, "alice", "reject")["state"] == "rejected"
    with pytest.raises(ConflictError):
        curation.vote(store, approval_id, "carol", "approve")
    another = curation.request_approval(store, "docs/note.txt")["id"]
    assert curation.vote(store, another, "carol", "approve")["state"] == "approved"


def test_a_label_must_be_there_to_be_worn_and_comes_off_when_it_is_deleted(store: AssetStore) -> None:
    with pytest.raises(NotFoundError):
        curation.change_file_labels(store, "docs/note.txt", ["draft", "unknown"])
    curation.change_file_labels(store, "docs/note.txt", ["draft", "draft"])
    assert curation.list_labels(store) == [{"name": "draft", "color": "#f9a825", "files": 1}]
    curation.delete_label(store, "draft")
    assert store.describe("docs/note.txt")["labels"] == []


def test_the_configuration_holds_for_uploads_and_links_from_now_on(store: AssetStore, clock: Clock) -> None:
    store.change_config(upload_max_bytes=4, allowed_types=["text/*"], share_seconds=5)
    store.add("docs/tiny.txt", b"1234")
    with pytest.raises(TooLargeError):
        store.add("docs/large.txt", b"12345")
    with pytest.raises(BadValueError):
        store.add("docs/tiny.png", b"1234")
    assert sharing.create_share(store, "docs")["expires_at"] == clock.now + 5


def test_a_value_that_makes_no_sense_is_refused_and_changes_nothing(store: AssetStore, root: Path) -> None:
    before = snapshot(root)
    for refused in (
        store.change_config,
        lambda: store.change_config(upload_max_bytes=0),
        lambda: store.change_config(upload_max_bytes=UPLOAD_MAX_BYTES + 1),
        lambda: store.change_config(share_seconds=-1, allowed_types=["image/*"]),
        lambda: store.change_config(allowed_types=["everything"]),
        lambda: curation.set_label(store, "", "#000000"),
        lambda: curation.set_label(store, "x" * 65, "#000000"),
        lambda: curation.set_label(store, "red", "red"),
        lambda: curation.set_collection(store, "kit", ["docs/nothing.txt"]),
        lambda: curation.request_approval(store, "docs/note.txt", quorum=0),
        lambda: curation.request_approval(store, "docs"),
        lambda: curation.vote(store, "nothing", "alice", "approve"),
        lambda: sharing.create_share(store, "docs", seconds=0),
        lambda: sharing.create_share(store, "nothing"),
        lambda: sharing.create_airbox(store, "docs/note.txt"),
        lambda: sharing.create_airbox(store, "inbox", files=0),
        lambda: sharing.delete_share(store, "nothing"),
        lambda: store.change_accesses("docs", ["alice", ""]),
        lambda: store.change_product("docs/note.txt", "\n"),
        lambda: store.create_directory("nothing/below"),
        lambda: store.create_directory("docs"),
        lambda: store.edit_image("docs/note.txt", [{"rotate": 90}]),
    ):
        with pytest.raises(StoreError):
            refused()
    assert snapshot(root) == before


def test_everything_outlives_a_restart(store: AssetStore, root: Path, clock: Clock) -> None:
    store.create_file_meta("docs/note.txt", {"title": "Note", "year": 2024, "ratio": 0.5, "final": True})
    store.change_product("photos/red.png", "SKU-1", 2)
    store.set_file_visibility("docs/old/plan.txt", "private")
    store.change_accesses("docs", ["alice"])
    store.change_config(share_seconds=5)
    curation.set_collection(store, "kit", ["docs/note.txt"])
    approval_id = curation.request_approval(store, "docs/note.txt", quorum=2)["id"]
    curation.vote(store, approval_id, "alice", "approve")
    token = token_of(sharing.create_share(store, "docs"))
    (root / "incoming/leftover").write_bytes(b"of a crash")
    again = AssetStore(root, clock)
    assert again.list_objects(deep=True, all=True) == store.list_objects(deep=True, all=True)
    assert again.read_config() == store.read_config()
    assert again.read_accesses("docs") == store.read_accesses("docs")
    assert curation.list_collections(again) == curation.list_collections(store)
    assert sharing.open_share(again, token) == [{"path": "note.txt"}]
    assert curation.vote(again, approval_id, "bob", "approve")["state"] == "approved"
    assert not list((root / "incoming").iterdir())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"objects": 3}'])
def test_a_broken_ledger_is_named_and_left_alone(root: Path, content: bytes) -> None:
    (root / "ledger.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"ledger\.json"):
        AssetStore(root)
    assert (root / "ledger.json").read_bytes() == content


def test_a_change_that_cannot_be_saved_is_forgotten(store: AssetStore, root: Path) -> None:
    (root / "ledger.new").mkdir()
    with pytest.raises(OSError, match=r"ledger\.new"):
        curation.set_label(store, "final", "#000000")
    assert [label["name"] for label in curation.list_labels(store)] == ["draft"]


def test_changes_from_many_threads_are_all_kept(store: AssetStore) -> None:
    def work(number: int) -> None:
        store.add(f"inbox/{number}.txt", b"x")
        store.create_file_meta(f"inbox/{number}.txt", {"number": number})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found["meta"]["number"] for found in store.list_objects("inbox")) == list(range(16))


def test_the_sample_has_something_to_tag_and_filling_a_store_twice_changes_nothing(tmp_path: Path) -> None:
    store = AssetStore(tmp_path)
    sample.fill(store)
    before = snapshot(tmp_path)
    sample.fill(store)
    assert snapshot(tmp_path) == before
    assert "color:orange" in store.autotag("photos/sunset.jpg")["tags"]
    assert store.autotag("photos/logo.png")["tags"][-1] == "color:green"
    assert "word:assets" in store.autotag("documents/welcome.txt")["tags"]


def test_a_link_record_holds_no_secret(store: AssetStore) -> None:
    sharing.create_share(store, "docs")
    with store.reading() as ledger:
        (link,) = ledger.shares.values()
    assert link == Link("docs", store.clock() + store.read_config()["share_seconds"])


def opened(data: bytes) -> Image.Image:
    """A decoded image."""
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", images.FORMATS)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_an_edited_image_keeps_its_format(kind: str, mode: str) -> None:
    if (kind, mode) in {("JPEG", "RGBA"), ("JPEG", "P")}:
        mode = "CMYK"
    out = io.BytesIO()
    opened(image_bytes()).convert(mode).save(out, kind)
    edits: list[dict[str, object]] = [{"crop": [0, 0, 20, 10]}, {"rotate": 90}, {"resize": [5, 8]}, {"grayscale": True}]
    edited = opened(images.edit(out.getvalue(), edits))
    assert (edited.format, edited.size) == (kind, (5, 8))
    red, green, blue, _ = edited.convert("RGBA").getpixel((2, 2))  # type: ignore[misc]
    assert red == green == blue


def test_rotation_is_clockwise_and_a_crop_keeps_what_it_names() -> None:
    left_red = Image.new("RGB", (40, 20), "blue")
    left_red.paste("red", (0, 0, 20, 20))
    out = io.BytesIO()
    left_red.save(out, "PNG")
    turned = opened(images.edit(out.getvalue(), [{"rotate": 90}]))
    assert turned.size == (20, 40)
    assert turned.getpixel((10, 5)) == (255, 0, 0)
    cropped = opened(images.edit(out.getvalue(), [{"crop": [20, 0, 40, 20]}]))
    assert cropped.getcolors() == [(400, (0, 0, 255))]


def test_an_edit_turns_the_image_as_its_exif_says_and_drops_the_rest_of_it() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker"  # orientation: turn it clockwise; and the camera's maker
    out = io.BytesIO()
    opened(image_bytes(size=(40, 20))).save(out, "JPEG", exif=exif)
    edited = opened(images.edit(out.getvalue(), [{"grayscale": True}]))
    assert edited.size == (20, 40)
    assert not edited.getexif()
    assert "orientation:portrait" in images.tags(out.getvalue())


@pytest.mark.parametrize(
    "operations",
    [
        [],
        [{}],
        [{"rotate": 90, "grayscale": True}],
        [{"blur": 3}],
        [{"rotate": "90"}],
        [{"rotate": True}],
        [{"rotate": 1e9}],
        [{"rotate": float("nan")}],
        [{"resize": [0, 10]}],
        [{"resize": [10]}],
        [{"resize": [10, 10.5]}],
        [{"resize": [100_000, 100_000]}],
        [{"crop": [0, 0, 41, 20]}],
        [{"crop": [10, 0, 5, 20]}],
        [{"crop": "all"}],
        [{"grayscale": 1}],
        [{"rotate": 1}] * 11,
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(operations: list[dict[str, object]]) -> None:
    with pytest.raises(BadValueError):
        images.edit(image_bytes(), operations)


@pytest.mark.parametrize("size", [(9_000, 10), (7_000, 7_000), (20_000, 20_000)])
def test_an_image_that_would_unpack_to_too_much_is_refused(size: tuple[int, int]) -> None:
    out = io.BytesIO()
    Image.new("1", size).save(out, "PNG")
    with pytest.raises(BadValueError):
        images.edit(out.getvalue(), [{"rotate": 90}])


def test_every_truncation_of_an_image_is_refused_or_read_and_never_breaks() -> None:
    for kind in images.FORMATS:
        data = image_bytes(kind)
        for length in range(0, len(data), 3):
            assert images.tags(data[:length])
            try:
                images.edit(data[:length], [{"rotate": 90}])
            except BadValueError:
                continue


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            image_bytes("JPEG", (20, 40), "#1030c0"),
            "type:image/jpeg width:20 height:40 orientation:portrait color:blue",
        ),
        (image_bytes("PNG", (20, 20), "white"), "type:image/png width:20 height:20 orientation:square color:white"),
        (b"Gates need guards.\nGates, gates!", "type:text/plain lines:2 word:gates word:need word:guards"),
        ("Füße und füße".encode(), "type:text/plain lines:1 word:füße"),
        (b"%PDF-1.7 ...", "type:application/pdf"),
        (b"\xff\xfe\xfd", "type:application/octet-stream"),
        (b"\0\0", "type:application/octet-stream"),
        (b"", "type:text/plain lines:0"),
    ],
)
def test_tags_come_from_the_content(data: bytes, expected: str) -> None:
    assert images.tags(data) == expected.split()
