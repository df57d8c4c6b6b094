"""A stand-in for Kaggle: dataset API and file storage on two loopback ports, with faults on demand.

Run it with `python -m tools.kaggle_simulator`; the README beside this file lists options, control
calls and faults. It shares no code with the product, so that a mistake in one
cannot hide in the other.
"""

from __future__ import annotations
