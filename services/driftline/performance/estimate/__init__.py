"""How right a model is likely to be, before its truths are there: from scores, and what these were worth."""
