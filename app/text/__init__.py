"""Values as text for people and programs: times, durations, tables, JSON, progress."""
