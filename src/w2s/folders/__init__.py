"""The folders that commands write their results into: what is in them, and that nobody else's file is touched."""
