"""The demo: the whole pipeline on real flights, with faults injected on purpose."""
