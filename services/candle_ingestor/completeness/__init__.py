"""What is stored, what is missing and why, told from records and counts."""
