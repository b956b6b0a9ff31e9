"""Tells a chapter of the story as JSON: `python -m tests.existing_shop CHAPTER`."""

from __future__ import annotations

import json
import sys

import django


def main(chapter: str) -> None:
    """Set the project up, let the chapter happen, and print what it tells."""
    django.setup()
    from tests.existing_shop import story

    sys.stdout.write(json.dumps(story.CHAPTERS[chapter](), default=str))


if __name__ == "__main__":
    main(sys.argv[1])
