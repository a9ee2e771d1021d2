"""What a model and a training are made of: settings and their rules."""
