"""The command report over what real runs stored, and a recorded market."""
