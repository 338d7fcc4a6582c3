"""The parts without I/O: values in, values out."""
