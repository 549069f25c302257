#!/usr/bin/env python3
"""A form whose program does something to it on every key: ?do=html renders the form again with what
it has heard, ?do=shout the same in capitals, ?do=upper makes the value capitals, as an answer to
the value that it has heard. An <output> says how many keys have been answered."""
import html
import json
import os
import sys
import urllib.parse


def form(value, heard):
    return (
        f'<p>{"x" * (heard % 7)}</p>' * (heard % 3)
        + f'<label>Field <input name="field" value="{html.escape(value)}"></label>'
        f'<output>{heard}</output><ul>{"".join(f"<li>{html.escape(c)}" for c in value[-3:])}</ul>'
    )


todo = dict(urllib.parse.parse_qsl(os.environ["QUERY_STRING"]))["do"]
sys.stdout.write(
    f"""Content-Type: text/html; charset=utf-8

<!doctype html><meta charset="utf-8"><title>typed</title>
<script src="/.httpsocket/client.js"></script>
<script>
  document.addEventListener('input', (event) =>
    document.serverConnection.send('typed', event.target.value));
</script>
<form>{form("", 0)}</form>
"""
)
sys.stdout.flush()
os.close(1)

heard = 0
with open(3, encoding="utf-8", newline="\n") as events, open(
    3, "w", encoding="utf-8", newline="\n", buffering=1, closefd=False
) as page:
    for line in events:
        name, _, body = line.rstrip("\n").partition(" ")
        if name != "typed":
            continue
        value = json.loads(body)
        heard += 1
        if todo in ("html", "shout"):
            update = {
                "select": "form",
                "html": form(value if todo == "html" else value.upper(), heard),
            }
        else:
            update = [
                {"select": "[name=field]", "properties": {"value": value.upper()}, "was": value},
                {"select": "output", "text": heard},
            ]
        page.write(f".dom {json.dumps(update)}\n")
