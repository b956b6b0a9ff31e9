"""A StreamField whose blocks come from a registry when they are first needed."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.functional import cached_property
from wagtail.blocks import StreamBlock
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

    def deconstruct(self) -> tuple[str, str, list[Any], dict[str, Any]]:
        """Return what a migration needs: the registry's name and the plain field options."""
        name, path, args, kwargs = models.Field.deconstruct(self)
        return name, path, list(args), {**kwargs, "registry": self.registry_name}
