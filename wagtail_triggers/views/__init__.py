"""Views beside the viewsets': each one checks its own permission."""
