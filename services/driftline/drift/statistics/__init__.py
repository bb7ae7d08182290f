"""From counts to evidence: shares, what is expected of them, noise, and the test."""
