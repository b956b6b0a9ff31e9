"""What tests of public pages share: the gift cards of the engine's tests."""

from tests.engine.conftest import (  # noqa: F401 - fixtures are found by their names here
    agreed,
    expire,
    now,
    person,
    publish_flow,
    publish_letter,
)
