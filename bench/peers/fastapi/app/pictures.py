"""Uploaded pictures: scaled, encoded as JPEG, and written to a folder."""

import io
import uuid

from PIL import Image, ImageOps

from app.config import settings

SIDE = 300


def save_picture(content: bytes) -> str:
    """Makes the picture square and small, stores it and returns its name; raises what Pillow raises."""
    with Image.open(io.BytesIO(content)) as original:
        image = ImageOps.exif_transpose(original)
        image = ImageOps.fit(image, (SIDE, SIDE), method=Image.Resampling.LANCZOS)
        if image.mode != "RGB":
            image = image.convert("RGB")
        name = f"{uuid.uuid4().hex}.jpg"
        image.save(settings.data_dir / name, "JPEG", quality=85, optimize=True)
    return name


def delete_picture(name: str | None) -> None:
    if name:
        (settings.data_dir / name).unlink(missing_ok=True)
