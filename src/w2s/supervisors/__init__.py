"""Anything that answers questions: a local model, a server, annotators."""
