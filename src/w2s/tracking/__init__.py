"""Losses and results in an experiment tracker: watched from outside, so that no key, step or worker knows of it."""
