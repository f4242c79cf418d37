"""The stages as steps: what computes each kind, how a step of it is laid, and how an experiment wires them."""
