#!/usr/bin/env python3
"""Minesweeper. Only this program knows where the mines are: the whole game is in its variables."""
import random

from httpsocket import page

WIDTH, HEIGHT, MINES = 10, 10, 14

PAGE = (
    """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Mines</title>
<link rel="stylesheet" href="style.css">
<style>
  #board { display: inline-grid; grid-template-columns: repeat(%d, 2.4rem); gap: 3px; }
  #board button { width: 2.4rem; height: 2.4rem; padding: 0; border-color: var(--line);
    background: var(--tint); color: var(--ink); font-weight: 600; }
  #board button.open { background: transparent; }
</style>
<script src="/.httpsocket/client.js"></script>
<script src="link.js"></script>
<h1>Mines</h1>
<p class="soft">Click opens, right click (or a long press) flags. The page knows nothing that you
  can't see; the program does.</p>
<p><button id="new">New game</button> <b id="state"></b></p>
<div id="board"></div>
<script src="mines.js"></script>
"""
    % WIDTH
)


class Game:
    """One field of mines. Cells are (x, y)."""

    def __init__(self):
        self.mines = set()  # laid at the first click, so that it is never one
        self.open = set()
        self.flags = set()
        self.state = "playing"

    @staticmethod
    def neighbours(cell):
        x, y = cell
        return [
            (i, j)
            for i in range(max(0, x - 1), min(WIDTH, x + 2))
            for j in range(max(0, y - 1), min(HEIGHT, y + 2))
            if (i, j) != cell
        ]

    def count(self, cell):
        return sum(n in self.mines for n in self.neighbours(cell))

    def lay(self, first):
        free = [
            (x, y)
            for x in range(WIDTH)
            for y in range(HEIGHT)
            if (x, y) != first and (x, y) not in self.neighbours(first)
        ]
        self.mines = set(random.sample(free, MINES))

    def click(self, cell):
        if self.state != "playing" or cell in self.flags:
            return
        if not self.mines:
            self.lay(cell)
        if cell in self.mines:
            self.state = "lost"
            return
        todo = [cell]
        while todo:
            cell = todo.pop()
            if cell in self.open:
                continue
            self.open.add(cell)
            if self.count(cell) == 0:
                todo += self.neighbours(cell)
        if len(self.open) == WIDTH * HEIGHT - MINES:
            self.state = "won"

    def flag(self, cell):
        if self.state == "playing" and cell not in self.open:
            self.flags ^= {cell}

    def face(self, cell):
        """What a player sees of the cell."""
        if cell in self.open:
            return str(self.count(cell) or "")
        if self.state == "lost" and cell in self.mines:
            return "*"
        return "flag" if cell in self.flags else "closed"

    def view(self):
        return {
            "state": self.state,
            "left": MINES - len(self.flags),
            "cells": [[self.face((x, y)) for x in range(WIDTH)] for y in range(HEIGHT)],
        }


def cell_of(data):
    """The cell that the page names, or None: a page can send anything."""
    try:
        x, y = int(data["x"]), int(data["y"])
    except (TypeError, KeyError, ValueError):
        return None
    return (x, y) if 0 <= x < WIDTH and 0 <= y < HEIGHT else None


game = Game()


def show():
    page.send("board", game.view())


@page.on("new")
def new(_):
    global game
    game = Game()
    show()


@page.on("click")
def click(data):
    if cell := cell_of(data):
        game.click(cell)
        show()


@page.on("flag")
def flag(data):
    if cell := cell_of(data):
        game.flag(cell)
        show()


page.show(PAGE)
show()
page.run()
