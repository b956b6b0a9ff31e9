"""The order app, forked."""
