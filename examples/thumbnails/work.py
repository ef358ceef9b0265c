"""Makes a thumbnail of the picture that a message names.

Bears to run twice: it writes the whole thumbnail beside its place, and puts it there in one step.
What is no picture never will be: exit code 3 deletes the message, and tells somebody.
"""

import os
import sys
from pathlib import Path

from PIL import Image, UnidentifiedImageError

SIZE = (160, 160)  # the most that a thumbnail has of each; its form stays


def main() -> int:
    pictures, thumbnails = Path(os.environ["PICTURES"]), Path(os.environ["THUMBNAILS"])
    name = Path(os.environ["Message"]).name  # a message names no file outside the folder
    try:
        with Image.open(pictures / name) as picture:
            picture.thumbnail(SIZE)
            done = Path(os.environ["WATCHBOT_SCRATCH"], name)
            picture.convert("RGB").save(done, "JPEG", quality=85)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        print(f"no picture: {error}", file=sys.stderr)
        return 3
    except FileNotFoundError:
        print(f"{name} is not uploaded yet")
        return 4
    beside = thumbnails / f".{name}.{os.environ['MessageId']}"
    beside.write_bytes(done.read_bytes())
    beside.replace(thumbnails / f"{name}.jpg")
    print(f"{name}: {picture.width} x {picture.height}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
