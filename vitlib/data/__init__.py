"""The images: data sets, where they come from, and their splits."""
