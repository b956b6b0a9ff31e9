"""Tests of the shop, the engine and the editor."""
