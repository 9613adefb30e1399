"""Makes profile pictures with Pillow, as the tutorial's blog does: one line in is a way and a file, one line out is the
processor time and the size."""

import io
import sys
import time

import PIL
from PIL import Image, ImageOps, features

print(f"Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo')}", flush=True)
for line in sys.stdin:
    way, side, path = line.rstrip("\n").split(" ", 2)
    side = int(side)
    with open(path, "rb") as file:
        data = file.read()
    began = time.process_time()
    with Image.open(io.BytesIO(data)) as original:
        if way == "draft":
            original.draft("RGB", (2 * side, 2 * side))
        image = ImageOps.exif_transpose(original)
        image = ImageOps.fit(image, (side, side), method=Image.Resampling.LANCZOS)
        if image.mode != "RGB":
            image = image.convert("RGB")
        output = io.BytesIO()
        if way == "webp":
            image.save(output, "WEBP", quality=82, method=4)
        elif way == "webp-lossless":
            image.save(output, "WEBP", lossless=True)
        else:
            image.save(output, "JPEG", quality=85, optimize=True)
    print(time.process_time() - began, len(output.getvalue()), flush=True)
