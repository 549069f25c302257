#!/usr/bin/env python3
"""A form with fields of every kind, and a long page below it. The program listens to what is
typed and chosen, and answers `heard` with that, `pid` with its own. The events `crash` and `leave`
make it end. What it writes on stderr says how it was asked for."""
import json
import os
import sys

PAGE = """<!doctype html>
<html lang="%(lang)s">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>form</title>
<style>body { font-family: sans-serif } p { margin: 60px 0 }</style>
<script src="/.httpsocket/client.js" %(script)s></script>
<script>
  window.states = [];
  for (const type of ['open', 'suspend', 'resume', 'restore', 'close'])
    document.serverConnection.addEventListener(type, ({ code, reason }) => {
      states.push([type, code, reason]);
    });
</script>
%(more)s
<form method="post">
<input name="name" value="nobody">
<input type="password" name="secret">
<input name="card" autocomplete="cc-number">
<input type="hidden" name="hidden" value="h">
<textarea id="text"></textarea>
<input name="tag"><input name="tag">
<input type="checkbox" name="yes">
<input type="radio" name="way" value="a" checked><input type="radio" name="way" value="b">
<select name="one"><option>x<option>y<option>z</select>
<select name="some" multiple><option>1<option>2<option>3</select>
<button>Send</button>
</form>
<main></main>
<a href="other.html">away</a>
"""

method = os.environ["REQUEST_METHOD"]
query = dict(p.split("=", 1) for p in os.environ.get("QUERY_STRING", "").split("&") if "=" in p)
print("asked by", method, file=sys.stderr, flush=True)
page = PAGE % {
    "lang": query.get("lang", "en"),
    "script": 'data-sign="off"' if query.get("sign") == "off" else "",
    "more": "<p data-hs-sign hidden></p>" if query.get("sign") == "own" else "",
} + "".join(f"<p>{n}" for n in range(40))
policy = "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; script-src 'self' 'unsafe-inline'"
sys.stdout.write(
    f"Content-Type: text/html; charset=utf-8\nContent-Security-Policy: {policy}\n\n{page}"
)
sys.stdout.flush()
os.close(1)

heard = []
with open(3, encoding="utf-8", newline="\n") as events, open(
    3, "w", encoding="utf-8", newline="\n", buffering=1, closefd=False
) as out:
    for on in "input", "change":
        out.write(f'.listen {{"on":"{on}","as":"typed","select":"form *"}}\n')
    if query.get("late"):
        out.write('.dom {"select":"main","html":"<input id=late>"}\n')
    for line in events:
        name, _, body = line.rstrip("\n").partition(" ")
        name, _, call = name.partition("?")
        if name == "typed":
            data = json.loads(body)
            heard.append(
                [data["target"].get("name") or data["target"].get("id"), data.get("value")]
            )
        elif name == "heard":
            out.write(f"={call} {json.dumps(heard)}\n")
        elif name == "pid":
            out.write(f"={call} {os.getpid()}\n")
        elif name == "crash":
            sys.exit(3)
        elif name == "let-go":
            out.write('.close {"reason":"restart"}\n')
        elif name == "leave":
            sys.exit(0)
