"""Benchmarks of Hopline against its peers: `python -m benchmarks`."""
