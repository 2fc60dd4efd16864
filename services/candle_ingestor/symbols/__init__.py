"""Which symbols a run works on: from a flag, a file or Redis, and since when."""
