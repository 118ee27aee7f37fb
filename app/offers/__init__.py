"""What an engine could be swapped to, weighed for a person: does it fit, how long will it take."""
