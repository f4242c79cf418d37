"""The fast part: scoring options and writing answers, for any causal language model."""
