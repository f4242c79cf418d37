"""What leaves w2s: training sets in the forms of other trainers, and students that others can load."""
