"""Capture: samples from a microphone or a file into the ring, and nothing else."""
