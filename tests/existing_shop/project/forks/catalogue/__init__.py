"""The catalogue app, forked."""
