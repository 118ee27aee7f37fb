"""What a person sees and does: commands, the screen, the acts; texts and settings they need."""
