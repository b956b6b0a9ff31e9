"""The shop's own user model."""
