"""What is known of every series, and the one way to change it (rules C1 and C2)."""
