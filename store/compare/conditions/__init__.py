"""Under what conditions two windows were recorded, and whether those make them comparable."""
