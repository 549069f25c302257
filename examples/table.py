#!/usr/bin/env python3
"""Ten thousand rows, sorted and edited. The page has no script. A change sends only the row that
changes, whatever the number of rows.
"""
import random

from httpsocket import escape, page

ROWS = 10_000
COLUMNS = {"name": "Name", "town": "Town", "stock": "In stock", "price": "Price"}
MADE_OF = "Amber Birch Cedar Copper Fjord Glass Heather Iron Juniper Linen".split()
THINGS = "basket bowl chair kettle lamp lantern rope scarf".split()
TOWNS = "Bergen Bodø Drammen Hamar Oslo Skien Stavanger Tromsø Trondheim Ålesund".split()

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Ten thousand rows</title>
<link rel="stylesheet" href="style.css">
<style>
  table { table-layout: fixed; }
  .n, th:nth-child(3), th:nth-child(4) { text-align: right; }
  th:last-child { width: 14rem; }
  th button { border: none; background: none; color: var(--accent); padding: 0; font-weight: 600; }
  tbody tr { cursor: pointer; }
  tbody tr:hover, tr.open { background: var(--tint); }
  td button { padding: 0 .7rem; line-height: 1.5rem; }
  td input { font: inherit; width: 100%%; text-align: right; color: inherit;
    background: var(--paper); border: 1px solid var(--line); border-radius: 6px; }
  td input[aria-invalid="true"] { border-color: #c0392b; }
</style>
<script src="/.httpsocket/client.js"></script>
<script src="link.js"></script>
<h1>Ten thousand rows</h1>
<p class="soft">Sort by a heading, click a row to change it. Only what changes is sent: one row, or
  for another order the keys.</p>
<p><button id="add">Add a row</button> <output id="status">%s</output></p>
<table><thead id="headings">%s</thead><tbody id="rows">
%s</tbody></table>
"""


class Goods:
    """What the table shows: rows by their keys."""

    def __init__(self):
        chance = random.Random(2008)
        self.rows = {}
        for number in range(ROWS):
            self.add(
                f"{chance.choice(MADE_OF)} {chance.choice(THINGS)} {number}",
                chance.choice(TOWNS),
                chance.randrange(500),
                chance.randrange(100, 99_900) / 100,
            )

    def add(self, name, town, stock, price):
        key = str(len(self.rows)) if not self.rows else str(int(next(reversed(self.rows))) + 1)
        self.rows[key] = {"name": name, "town": town, "stock": stock, "price": price}
        return key

    def order(self, column, downwards):
        return sorted(self.rows, key=lambda key: self.rows[key][column], reverse=downwards)

    def summary(self):
        return f"{len(self.rows)} rows, worth {sum(row['stock'] * row['price'] for row in self.rows.values()):,.2f}"

    def html(self, key, editing=False):
        row = self.rows[key]
        price, rest = f"{row['price']:.2f}", ""
        if editing:
            price = f'<input name="price" inputmode="decimal" aria-label="Price" value="{price}">'
            rest = '<button name="sell">Sell one</button> <button name="drop">Remove</button>'
        return (
            f'<tr data-key="{key}"{" class=open" * editing}><td>{escape(row["name"])}</td><td>{escape(row["town"])}</td>'
            f'<td class="n">{row["stock"]}</td><td class="n">{price}</td><td>{rest}</td></tr>\n'
        )


def headings(sorted_by=None, downwards=False):
    marks = {
        column: (" ▾" if downwards else " ▴") if column == sorted_by else "" for column in COLUMNS
    }
    cells = (
        f'<th><button data-column="{column}">{title}{marks[column]}</button></th>'
        for column, title in COLUMNS.items()
    )
    return f"<tr>{''.join(cells)}<th></th></tr>"


goods = Goods()
shown = (None, False)  # sorted by this column, downwards
editing = None  # the key of the row that is open


def row(key):
    """The row as it is now."""
    return {"select": "#rows", "key": key, "outer": goods.html(key, key == editing)}


def summary():
    return {"select": "#status", "text": goods.summary()}


def edit(key):
    """Opens this row, and closes the one that was open."""
    global editing
    before, editing = editing, key
    return [row(each) for each in (before, key) if each in goods.rows]


@page.listen("click", "#headings button")
def sort(event):
    global shown
    column = event["target"]["dataset"].get("column")
    if column in COLUMNS:
        shown = (column, shown == (column, False))
        page.dom(
            {"select": "#rows", "order": goods.order(*shown)},
            {"select": "#headings", "html": headings(*shown)},
        )


@page.listen("click", "#rows tr", fields=["target", "source"])
def press(event):
    key, what = event["target"]["dataset"]["key"], event["source"].get("name")
    if key not in goods.rows:
        return
    if what == "drop":
        del goods.rows[key]
        page.dom({"select": "#rows", "key": key, "remove": True}, summary())
    elif what == "sell":
        goods.rows[key]["stock"] = max(0, goods.rows[key]["stock"] - 1)
        page.dom(row(key), summary())
    elif key != editing:
        page.dom(
            *edit(key),
            {"select": "#rows", "key": key, "find": "input", "focus": True, "selection": "all"},
        )


@page.listen("change", "#rows tr", fields=["target", "value"])
def set_price(event):
    key, said = event["target"]["dataset"]["key"], event["value"]
    field = {"select": "#rows", "key": key, "find": "input", "optional": True}
    try:
        price = round(float(said.replace(",", ".")), 2)
    except ValueError:
        price = -1
    if key in goods.rows and 0 <= price < 1e6:
        goods.rows[key]["price"] = price
        page.dom(
            {
                **field,
                "properties": {"value": f"{price:.2f}"},
                "was": said,
                "attributes": {"aria-invalid": None},
            },
            summary(),
        )
    else:
        page.dom({**field, "attributes": {"aria-invalid": "true"}})


@page.listen("click", "#add")
def add(_):
    key = goods.add("Something new", "Oslo", 1, 1.0)
    page.dom(
        {"select": "#rows", "prepend": goods.html(key)},
        *edit(key),
        summary(),
        {"select": "#rows", "key": key, "find": "input", "focus": True, "selection": "all"},
    )


page.show(PAGE % (goods.summary(), headings(), "".join(map(goods.html, goods.rows))))
page.run()
