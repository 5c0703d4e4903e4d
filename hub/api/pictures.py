"""Pictures as people upload them: decoded, turned upright, and written anew without anything but the picture.

What comes out was drawn by us, pixel by pixel: no place, no device, no comment, and nothing hidden behind the
end of the file. Runs in a thread; one at a time, since a decoded picture is large.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

from PIL import Image, ImageFile, ImageOps

KINDS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
MOST_PIXELS = 40_000_000  # of what is sent; a phone's camera has 12 to 50 million and our page sends 2
LONGEST_EDGE = 2048  # of what is kept
_SAVING: dict[str, dict[str, int]] = {"JPEG": {"quality": 85}, "PNG": {}, "WEBP": {"quality": 85}}
warnings.simplefilter("error", Image.DecompressionBombWarning)


class NoPicture(ValueError):
    """Not a JPEG, PNG or WebP picture, a broken one, or one that is too large when decoded."""


def redrawn(data: bytes) -> tuple[str, bytes]:
    """(content type, picture). Raises NoPicture; takes tens of milliseconds and up to 160 MB for a while."""
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        with Image.open(io.BytesIO(data), formats=list(KINDS)) as sent:
            return _redraw(sent)
    except (OSError, ValueError, SyntaxError, EOFError, Warning, Image.DecompressionBombError) as cause:
        raise NoPicture(type(cause).__name__) from None


def _redraw(sent: Image.Image) -> tuple[str, bytes]:
    kind = "JPEG" if sent.format == "MPO" else str(sent.format)  # some phones hang a second picture on
    if sent.width * sent.height > MOST_PIXELS:
        raise NoPicture("too many pixels")
    sent.draft("RGB", (LONGEST_EDGE, LONGEST_EDGE))  # a large JPEG is decoded at a half or a quarter
    upright = ImageOps.exif_transpose(sent)
    plain = upright.convert("RGBA" if _see_through(upright.getbands()) and kind != "JPEG" else "RGB")
    plain.thumbnail((LONGEST_EDGE, LONGEST_EDGE))
    bare = Image.frombytes(plain.mode, plain.size, plain.tobytes())  # no info, no profile, no EXIF
    out = io.BytesIO()
    bare.save(out, kind, **_SAVING[kind])
    return KINDS[kind], out.getvalue()


def _see_through(bands: Sequence[str]) -> bool:
    return "A" in bands or "a" in bands
