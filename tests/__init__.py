"""Tests of gatepost, on real servers that the tests start themselves."""
