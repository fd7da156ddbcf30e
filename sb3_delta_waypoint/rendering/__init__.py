"""Pictures of a drive: the bird's-eye view and camera images."""
