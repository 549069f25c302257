#!/usr/bin/env python3
"""A page of two scripts: the first connects, and the second, at the address that the query names,
listens. window.arrived is how many messages have come from the server."""
import os
from urllib.parse import unquote

PAGE = f"""Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>late</title>
<script src="/.httpsocket/client.js"></script>
<script>
  window.arrived = 0;
  window.told = [];
  const Real = WebSocket;
  window.WebSocket = class extends Real {{
    constructor(...of) {{
      super(...of);
      this.addEventListener('message', () => window.arrived++);
    }}
  }};
  document.serverConnection.onopen = () => window.told.push('open');
</script>
<script defer src="{unquote(os.environ['QUERY_STRING'])}"></script>
"""
os.write(1, PAGE.encode())
os.close(1)
with open(3, "r+b", buffering=0) as events:
    events.write(b'history [1]\nnobody 2\nhere 3\nsum?1 [1,2]\n.dom {"title":"dom"}\nsaid 4\n')
    for line in events:
        if line.startswith(b"="):
            events.write(b"answer " + line[3:])
