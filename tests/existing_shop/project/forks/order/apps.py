"""The order app, forked."""

import oscar.apps.order.apps as apps


class OrderConfig(apps.OrderConfig):
    """Oscar's app with this shop's models."""

    name = "forks.order"
