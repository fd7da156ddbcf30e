"""Pictures of a drive: the bird's-eye view, and what a camera sees."""
