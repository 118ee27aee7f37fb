"""Provisioning with a real venv and a real pip."""
