# SPDX-License-Identifier: MIT
"""All sections of the table, in its order."""
from . import (
    calls,
    echo,
    growth,
    handshakes,
    http,
    latency,
    memory,
    page,
    pages,
    sessions,
    topics,
    tunnel,
)

ORDER = (
    echo,
    topics,
    sessions,
    memory,
    handshakes,
    http,
    pages,
    page,
    growth,
    latency,
    calls,
    tunnel,
)
SECTIONS = [module.SECTION for module in ORDER]
