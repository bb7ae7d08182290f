"""Values of features online: what a service asks while a request waits."""
