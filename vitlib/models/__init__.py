"""The models, from images to what they predict."""
