"""The devices that an engine holds, sampled and summed over time."""
