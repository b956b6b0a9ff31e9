"""What ships and needs no Oscar, registered exactly as a third party would."""


def connect() -> None:
    """Listen to what other packages tell, where they are installed."""
    from . import anymail

    anymail.connect()


def register() -> None:
    """Register the steps, conditions, channels and checks that ship."""
    from ..engine import choosing, rolls, saved_segments  # noqa: F401 - importing registers
    from . import (  # noqa: F401 - importing registers
        advice,
        alarm_routes,
        checks,
        conditions,
        conditions_logic,
        conditions_messages,
        conditions_people,
        conditions_time,
        dates,
        email,
        events,
        expected,
        points,
        sender_checks,
        steps,
        steps_acts,
        steps_choices,
        steps_waits,
        today,
    )
