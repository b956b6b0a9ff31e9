"""A shop that has wagtail-localize: `make test-localize`."""
