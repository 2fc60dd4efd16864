"""Whether what is stored is what its sources say: exchanges, merge rules, partitions."""
