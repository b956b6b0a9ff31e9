"""Celery tasks: doorbells that carry ids, never times or payloads.

All state is in the database. A lost task costs one period of the beat; a doubled one finds the
work leased. Only beat rings `tick`; requests never publish.
"""

from __future__ import annotations

from celery import shared_task

from .conf import triggers_settings
from .engine import clockwork, outbox
from .models import Dispatch
from .models.sql import database_now

#: A tick hands at most so many batches to the workers; the next tick looks again.
_MOST_CHUNKS = 50


@shared_task(name="oscar_triggers.tasks.tick", ignore_result=True)
def tick() -> None:
    """Do what is due; when much is due to be sent, spread it over the workers."""
    clockwork.tick(send=False)
    batch = triggers_settings().batch_size
    chunks = outbox.due_chunks(database_now(Dispatch), most=_MOST_CHUNKS * batch)
    if len(chunks) == 1:
        outbox.send_due(database_now(Dispatch), ids=chunks[0])
        return
    for chunk in chunks:
        # Rung again by the next tick if nobody came by then, so that no queue builds up.
        send_chunk.apply_async(args=[chunk], expires=triggers_settings().tick_every.total_seconds())


@shared_task(name="oscar_triggers.tasks.send_chunk", ignore_result=True)
def send_chunk(dispatch_ids: list[int]) -> None:
    """Send those of a batch of dispatches that are still due, and before them what is urgent."""
    clockwork.do_urgent(database_now(Dispatch))
    outbox.send_due(database_now(Dispatch), ids=dispatch_ids, limit=len(dispatch_ids))
