"""The formats of partitions: a class each, which names its files and makes their content."""
