"""The plugin's logger."""

from __future__ import annotations

import logging
import sys


def make_logger() -> logging.Logger:
    """A logger in LMCache's form where LMCache runs: its own loggers do not pass on to a common parent."""
    lmcache_logging = sys.modules.get("lmcache.logging")
    init_logger = getattr(lmcache_logging, "init_logger", logging.getLogger)
    return init_logger("lmcache.incipit")


logger = make_logger()
