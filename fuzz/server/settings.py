# SPDX-License-Identifier: MIT
"""settings.py - every setting of src/serve/options.def, and random values for it.

A setting that comes later is varied as well, without a change here.
"""
import collections
import pathlib
import re

OPTIONS = pathlib.Path(__file__).resolve().parents[2] / "src/serve/options.def"
Setting = collections.namedtuple("Setting", "kind name initial least most choices")

# They say what the fuzzer itself relies on (where the server listens, whom it asks), or where it
# would write.
OURS = {
    *("listen", "origin", "root", "threads", "admin", "tls-cert", "tls-key", "dns", "dns-anchor"),
    *("log-level", "log-format", "publish-token", "tcp-ca", "sdk", "access-log", "user", "group"),
    *("run-as", "config", "state-key"),
    "dev",  # a take-over would switch it on, and be the last one
}
DRAIN_MS_MAX = 10000  # a drain lasts that long, whatever else was set
RATES = ("off", "1,1", "60,5", "600,300", "60000,10000", "off", "off")
LISTS = {
    "trusted-proxy": ("127.0.0.0/8", "unix", "10.0.0.0/8"),
    "stdio": ("/lines={root}/stdio 7", "cat"),
    "stdio-files": ("/stdio", "/hostile"),
    "shared": ("/named=1", "/named=2", "/many=3", "/hostile"),
    "rules": ("allow <*> exclude <evil.example>", "deny <*>", "allow <b.test>"),
    "self-ports": ("1-65535", "80"),
    "private": ("127.0.0.0/8", "10.0.0.0/8"),
    "address": ("127.0.0.3", "192.0.2.1"),
    "vouch": ("good.test:80",),
    "block": ("good.test", "*.test"),
    "unblock": ("25",),
}


def _rows():
    text = OPTIONS.read_text()
    for row in re.finditer(r"^(TEXT|LIST|NUMBER|SIZE|TIME|CHOICE|FLAG)\((.*)\)\s*$", text, re.M):
        kind = row[1]
        fields = re.findall(r'"(?:[^"\\]|\\.)*"|\'.\'|[^,\s]+', row[2])
        name = fields[1].strip('"')
        if kind in ("SIZE", "TIME"):
            yield Setting(kind, name, *(int(n) for n in fields[2:5]), None)
        elif kind == "NUMBER":
            yield Setting(kind, name, *(int(n) for n in fields[3:6]), None)
        elif kind == "CHOICE":
            choices = fields[3].strip('"').split(" ")
            yield Setting(kind, name, fields[2].strip('"'), None, None, choices)
        elif kind == "TEXT":
            yield Setting(kind, name, fields[3].strip('"'), None, None, None)
        else:
            yield Setting(kind, name, None, None, None, None)


ALL = {row.name: row for row in _rows()}


def value(chance, row, root, longest):
    """One value: the least, the default, something between, the most."""
    if row.kind == "CHOICE":
        return chance.pick(*row.choices)
    if row.kind == "FLAG":
        return chance.pick("true", "false")
    if row.name.startswith("rate-"):
        return chance.pick(*RATES)
    if row.kind in ("LIST", "TEXT"):
        known = LISTS.get(row.name)
        if not known:
            return None
        some = chance.sample(known, chance.below(len(known)) + 1)
        return "{" + ", ".join(f'"{one.format(root=root)}"' for one in some) + "}"
    span = row.most - row.least
    number = chance.pick(
        row.least,
        row.least + 1,
        row.initial,
        row.least + chance.size(max(1, row.initial - row.least)),
        row.initial + chance.size(max(1, row.most - row.initial)),
        row.least + chance.size(span),
        row.most,
    )
    number = min(row.most, max(row.least, number))
    if row.name == "drain-timeout":
        number = min(number, DRAIN_MS_MAX)
    if row.kind == "TIME" and longest:
        number = min(number, max(row.least, longest))
    return f"{number}ms" if row.kind == "TIME" else str(number)


def wild(chance, base, root, longest):
    """`base`, with some settings changed at random. What is begun under them may last as long as
    they say, so no time is longer than `longest` milliseconds, if that is not 0.
    """
    names = [name for name in ALL if name not in OURS]
    changed = dict(base)
    for name in chance.sample(names, 1 + chance.size(len(names) - 1)):
        chosen = value(chance, ALL[name], root, longest)
        if chosen is not None:
            changed[name] = chosen
    return changed


def known(values):
    """Those of `values` that this server has."""
    return {name: text for name, text in values.items() if name in ALL}


def text(values):
    return "".join(f"{name} = {shown}\n" for name, shown in values.items())
