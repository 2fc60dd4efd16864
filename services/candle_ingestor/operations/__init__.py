"""What a running job needs around it: clock, lock, logging, progress."""
