"""The partner app, forked."""

import oscar.apps.partner.apps as apps


class PartnerConfig(apps.PartnerConfig):
    """Oscar's app with this shop's models."""

    name = "forks.partner"
