"""What ships and needs no Oscar, registered exactly as a third party would."""

from importlib import import_module
from importlib.util import find_spec


def register() -> None:
    """Register the steps, conditions, channels and checks that ship."""
    for name in ("checks", "conditions", "steps", "tags", "email"):
        if find_spec(f"{__name__}.{name}"):
            import_module(f"{__name__}.{name}")
