"""A real Oscar and Wagtail shop to try everything in; no part of the distribution."""
