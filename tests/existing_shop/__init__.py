"""A second shop, as its owner had it before oscar_triggers: `docs/install.md` is followed on it."""
