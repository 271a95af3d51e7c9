"""Pictures of a network."""
