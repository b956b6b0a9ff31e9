"""What ships and needs no Oscar, registered exactly as a third party would."""


def register() -> None:
    """Register the steps, conditions, channels and checks that ship."""
    from . import checks, conditions, email, steps  # noqa: F401 - importing registers
