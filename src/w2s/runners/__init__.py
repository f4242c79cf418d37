"""Ways to run the graph of steps."""
