"""Rewordings of questions: what is asked of whom, and what makes one good enough. Ground truth is never seen."""
