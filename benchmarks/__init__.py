"""Benchmarks: every figure stands beside the peer or the limit that ran in the same minutes."""
