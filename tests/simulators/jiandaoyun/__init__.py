"""Jiandaoyun's open API v5 as the contract tells it: records, files, workflows, pushes, limits."""
