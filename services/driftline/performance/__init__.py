"""Performance: what became of predictions, and how right the model was."""
