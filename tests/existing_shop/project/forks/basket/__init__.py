"""The basket app, forked."""
