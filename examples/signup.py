#!/usr/bin/env python3
"""A form that the program checks while the user types. The page has no script, and the password is
sent only with the form.
"""
import re

from httpsocket import escape, page

FIELDS = {
    "user": ("User name", "text", "username"),
    "mail": ("E-mail", "email", "email"),
    "password": ("Password", "password", "new-password"),
}
TAKEN = {"admin", "frode", "root"}

ROWS = "".join(
    f'<p><label>{label}<br><input name="{name}" type="{kind}" autocomplete="{fill}" aria-describedby="hint-{name}"></label> '
    f'<span id="hint-{name}" class="soft"></span></p>\n'
    for name, (label, kind, fill) in FIELDS.items()
)
PAGE = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sign up</title>
<link rel="stylesheet" href="style.css">
<script src="/.httpsocket/client.js"></script>
<h1>Sign up</h1>
<form id="signup" novalidate>
{ROWS}<p><button>Sign up</button></p>
</form>
"""


def trouble(name, value):
    """What is wrong with this field, or an empty text."""
    if name == "user":
        if not re.fullmatch(r"[a-z][a-z0-9]{2,15}", value):
            return "3 to 16 of a-z and 0-9, a letter first"
        return "taken" if value in TAKEN else ""
    if name == "mail":
        return (
            ""
            if re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value)
            else "an address has an @ and a name with a dot"
        )
    return "" if len(value) >= 10 else "10 characters at least"


def hint(name, wrong):
    """Shows what is wrong with a field, or that nothing is."""
    return [
        {"select": f"#hint-{name}", "text": wrong or "✓"},
        {"select": f"[name={name}]", "attributes": {"aria-invalid": "true" if wrong else "false"}},
    ]


# A password is sent only if it is asked for by name: here when the form is submitted, not while it
# is typed.
@page.listen("input", "#signup", debounce=200)
def typed(field):
    if "value" in field:
        page.dom(*hint(field["name"], trouble(field["name"], field["value"])))


@page.listen("submit", "#signup", prevent=True, fields=["form", "form.password"])
def submitted(event):
    form = event["form"]
    wrong = {name: trouble(name, form.get(name, "")) for name in FIELDS}
    if any(wrong.values()):
        page.dom(*(operation for name in FIELDS for operation in hint(name, wrong[name])))
    else:
        page.dom(
            select="#signup", html=f"<p id=welcome>Welcome, <b>{escape(form['user'])}</b>.</p>"
        )


page.show(PAGE)
page.run()
