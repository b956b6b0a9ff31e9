"""Celery tasks: doorbells that carry ids, never times or payloads.

All state is in the database. A lost task costs one period of the beat; a doubled one finds the
work leased. Only beat rings `tick`; requests never publish.
"""

from __future__ import annotations

import math

from celery import shared_task

from .conf import triggers_settings
from .engine import clockwork, outbox
from .engine.planning import TRANSACTIONAL_LANE
from .models import Dispatch
from .models.sql import database_now

#: A tick hands at most so many batches to the workers, and so many for each of its seconds; the
#: next tick looks again.
_MOST_CHUNKS, _CHUNKS_PER_SECOND = 50, 10


@shared_task(name="oscar_triggers.tasks.tick", ignore_result=True)
def tick() -> None:
    """Do what is due; when much is due to be sent, spread it over the workers."""
    clockwork.tick(lanes=(TRANSACTIONAL_LANE,))
    outbox.probe(database_now(Dispatch))
    chunks = outbox.due_chunks(database_now(Dispatch), most=_most_chunks() * _batch())
    if len(chunks) == 1:
        chunks = [clockwork.work_on(chunks[0])]
    for chunk in chunks:
        _ring(chunk)


@shared_task(name="oscar_triggers.tasks.send_chunk", ignore_result=True)
def send_chunk(dispatch_ids: list[int]) -> None:
    """Send those of a batch of dispatches that are still due, and before them what is urgent."""
    _ring(clockwork.work_on(dispatch_ids))


def _ring(dispatch_ids: list[int]) -> None:
    """Ring for a batch; the next tick rings again if nobody came by then, so no queue builds up."""
    if dispatch_ids:
        send_chunk.apply_async(
            args=[dispatch_ids], expires=triggers_settings().tick_every.total_seconds()
        )


def _most_chunks() -> int:
    seconds = triggers_settings().tick_every.total_seconds()
    return min(_MOST_CHUNKS, math.ceil(_CHUNKS_PER_SECOND * max(seconds, 1.0)))


def _batch() -> int:
    return triggers_settings().batch_size
