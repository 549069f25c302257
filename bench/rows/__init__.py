# SPDX-License-Identifier: MIT
"""All sections of the table, in its order."""
from . import (
    aside,
    calls,
    cluster,
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
    ways,
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
    cluster,
    ways,
    aside,
)
SECTIONS = [module.SECTION for module in ORDER]
