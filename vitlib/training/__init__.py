"""How a model is trained, measured and recorded."""
