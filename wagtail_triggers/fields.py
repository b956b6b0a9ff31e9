"""A StreamField whose blocks come from a registry when they are first needed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models
from django.utils.functional import cached_property
from wagtail.blocks import StreamBlock, StreamValue, StructBlock
from wagtail.fields import StreamField

from .blocks import stream_block


class RegistryStreamField(StreamField):
    """A StreamField that writes the name of its registry into migrations, never its blocks.

    A shop that registers its own step would otherwise get a migration inside this package, and
    so would each change of a label. `registry` is a key of `blocks.STREAMS`.
    """

    def __init__(self, registry: str, **kwargs: Any) -> None:
        self.registry_name = registry
        super().__init__([], **kwargs)

    @cached_property
    def stream_block(self) -> StreamBlock:
        """Build the blocks from what is registered by now."""
        block = stream_block(self.registry_name)
        block.set_meta_options(self.block_opts)
        return block

    def to_python(self, value: Any) -> StreamValue:
        """Read stored blocks, and remember the kinds that nothing registers any more.

        Wagtail leaves such blocks out without a word, and would drop them at the next save.
        """
        result: StreamValue = super().to_python(value)
        if not isinstance(value, StreamValue):
            result.unknown_kinds = sorted(_unknown(_plain(value), self.stream_block))
        return result

    def get_translatable_segments(self, value: StreamValue) -> list[Any]:
        """Return the words of stored blocks for wagtail-localize.

        Its own reader stumbles over a field that a block got after it was stored.
        """
        from wagtail_localize.segments.extract import StreamFieldSegmentExtractor

        class Extractor(StreamFieldSegmentExtractor):
            def handle_block(self, block: Any, value: Any, raw_value: Any = None) -> list[Any]:
                if value is None:
                    return []
                found: list[Any] = super().handle_block(block, value, raw_value=raw_value)
                return found

        segments: list[Any] = Extractor(self, include_overridables=True).handle_stream_block(value)
        return segments

    def restore_translated_segments(self, value: StreamValue, segments: list[Any]) -> StreamValue:
        """Return stored blocks with other words, from wagtail-localize."""
        from wagtail_localize.segments.ingest import StreamFieldSegmentsWriter

        # Pages are chosen by their own id in every language; so neither locale is asked for.
        writer = StreamFieldSegmentsWriter(self, None, None)
        written: StreamValue = writer.handle_stream_block(value, segments)
        return written

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        """Return what a migration needs: the registry's name and the plain field options."""
        name, path, args, kwargs = models.Field.deconstruct(self)
        return name, path, list(args), {**kwargs, "registry": self.registry_name}


def _plain(value: Any) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    return value if isinstance(value, list) else []


def _unknown(raw: Iterable[Any], stream: StreamBlock) -> set[str]:
    found: set[str] = set()
    for one in raw:
        if not isinstance(one, Mapping):
            continue
        block = stream.child_blocks.get(one.get("type"))
        value = one.get("value")
        if block is None:
            found.add(str(one.get("type")))
        elif isinstance(block, StructBlock) and isinstance(value, Mapping):
            for name, inner in block.child_blocks.items():
                if isinstance(inner, StreamBlock) and isinstance(value.get(name), list):
                    found |= _unknown(value[name], inner)
    return found
