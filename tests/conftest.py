"""Before any test imports torch."""

from __future__ import annotations

import os

# As the command does: threads that wait must not spin where another program has the core.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores; each for itself would start as many threads as there are.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
