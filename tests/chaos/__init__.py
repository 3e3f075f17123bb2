"""Whole releases by real processes, under faults and interruptions drawn from a seed."""
