"""Which images keep their boxes: drawn, drawn class by class, or listed."""
