"""What a supervisor needs in every state."""
