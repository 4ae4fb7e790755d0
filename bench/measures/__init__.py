"""The benchmarks, one module each. Its docstring says what is measured, against what, and what it should be."""
