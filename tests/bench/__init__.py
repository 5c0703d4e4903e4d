"""Benches: the product against the bare limit of the same work, in the same run on the same machine."""
