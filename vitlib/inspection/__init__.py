"""What looks at models and runs."""
