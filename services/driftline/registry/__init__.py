"""The model registry: which versions there are, which stage each has, and who decided it when and why.

All of it is what the events of a topic of the log come to, applied in their order; see ``fold``.
"""
