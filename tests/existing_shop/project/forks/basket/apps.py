"""The basket app, forked."""

import oscar.apps.basket.apps as apps


class BasketConfig(apps.BasketConfig):
    """Oscar's app with this shop's models."""

    name = "forks.basket"
