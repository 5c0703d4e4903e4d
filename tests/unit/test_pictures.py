"""What comes out of an upload is a picture drawn by us and nothing but that."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from hub.api import pictures
from hub.api.pictures import LONGEST_EDGE, NoPicture, redrawn
from tests.api_house import JPEG, PNG, WEBP, picture

HERE_AND_NOW = b"GPS 31.2304N 121.4737E"


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def with_exif(kind: str, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = HERE_AND_NOW.decode()
    return picture(kind, exif=exif.tobytes())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_place_and_device_do_not_get_in(kind: str) -> None:
    sent = with_exif(kind)
    assert HERE_AND_NOW in sent
    shown = redrawn(sent)[1]
    assert HERE_AND_NOW not in shown
    assert not opened(shown).getexif()
    assert not {"exif", "icc_profile", "comment", "xmp"} & set(opened(shown).info)


@pytest.mark.parametrize("data", [JPEG, PNG, WEBP])
def test_what_hides_behind_the_end_of_a_picture_is_left_there(data: bytes) -> None:
    assert b"<script>" not in redrawn(data + b"<script>alert(1)</script>")[1]


def test_a_phone_held_sideways_gives_an_upright_picture() -> None:
    shown = opened(redrawn(with_exif("JPEG", orientation=6))[1])
    assert shown.size == (6, 8)


def test_a_picture_larger_than_anyone_looks_at_is_made_smaller_and_keeps_its_shape() -> None:
    kind, shown = redrawn(picture("PNG", (4 * LONGEST_EDGE, LONGEST_EDGE)))
    assert (kind, opened(shown).size) == ("image/png", (LONGEST_EDGE, LONGEST_EDGE // 4))


def test_what_can_be_seen_through_stays_so() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (4, 4), (10, 20, 30, 40)).save(out, "PNG")
    assert opened(redrawn(out.getvalue())[1]).getpixel((0, 0)) == (10, 20, 30, 40)


def test_a_picture_of_too_many_pixels_is_none_however_few_bytes_it_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "MOST_PIXELS", 8 * 6 - 1)
    with pytest.raises(NoPicture):
        redrawn(JPEG)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 8 * 6)
    assert redrawn(JPEG)


def test_two_pictures_in_one_file_of_a_phone_are_one() -> None:
    out = io.BytesIO()
    Image.new("RGB", (8, 6)).save(out, "MPO", save_all=True, append_images=[Image.new("RGB", (8, 6))])
    assert redrawn(out.getvalue())[0] == "image/jpeg"


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is so large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data",
    [
        b"", b"GIF89a" + b"\0" * 99, b"\xff\xd8\xff\xe0" + b"\0" * 200, JPEG[: len(JPEG) // 2],
        PNG[:-30], WEBP[:30], b"<svg onload=alert(1)>", bomb(7000, 7000), bomb(60_000, 60_000), bomb(0, 0),
    ],
)  # fmt: skip
def test_what_is_broken_too_large_or_another_thing_is_no_picture(data: bytes) -> None:
    with pytest.raises(NoPicture):
        redrawn(data)
