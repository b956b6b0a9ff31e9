"""Form blocks built from the engine's registries, so that an extension shows up by itself."""

from .kinds import BRANCH_PREFIX, STREAMS, stream_block

__all__ = ["BRANCH_PREFIX", "STREAMS", "stream_block"]
