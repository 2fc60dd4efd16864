"""Removal of what is stored, the word that it is known first."""
