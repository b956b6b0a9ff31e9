"""Storms: many real processes against one database, with the power cut in the middle."""
