"""The catalogue app, forked."""

import oscar.apps.catalogue.apps as apps


class CatalogueConfig(apps.CatalogueConfig):
    """Oscar's app with this shop's models."""

    name = "forks.catalogue"
