"""What an experiment found: the records, the diagnosis of the weak labels, and the run's folder."""
