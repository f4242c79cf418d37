"""Grids of experiments: `grid` makes the cells, `plan` lays their steps, `running` runs them."""
