"""The partner app, forked."""
