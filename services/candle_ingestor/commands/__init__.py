"""One file a command; `main` picks one."""
