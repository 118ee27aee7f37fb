"""What is believed of the pages of one address: one engine or several, one life or the next."""
