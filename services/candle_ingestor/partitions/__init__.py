"""Monthly partitions of scaled integers and their manifest (rules E1 to E4)."""
