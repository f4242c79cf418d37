"""A finished run for people: tables, figures, a page."""
