"""Measured plants: each recording is one file here, fitted on its first part and tested on the rest."""
