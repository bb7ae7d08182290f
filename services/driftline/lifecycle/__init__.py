"""From an incident back to training: training sets that stay, a gate, a guarded trigger, a pipeline."""
