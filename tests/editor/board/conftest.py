"""What tests of lists and figures share."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.utils import timezone


@pytest.fixture
def now() -> datetime:
    """Return this moment."""
    return timezone.now()
