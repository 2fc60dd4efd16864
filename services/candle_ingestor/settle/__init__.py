"""What follows from changed series: merging, state, export; shared by every command."""
