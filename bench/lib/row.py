# SPDX-License-Identifier: MIT
"""One row of the table: what is done, how it is counted, and what was to be reached."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    id: str
    what: str
    unit: str
    better: str = "more"  # or "less"
    goal: tuple = ()  # ((contender, number), ...), or one number for all that is ours
    before: tuple = ()  # of the issue, 2026-11-29: ((name, number as text), ...)
    digits: int = 2  # behind the point; 0: with thousands set apart

    def goal_of(self, name):
        if isinstance(self.goal, tuple):
            return dict(self.goal).get(name)
        return self.goal

    def reached(self, name, value):
        goal = self.goal_of(name)
        if goal is None:
            return None
        return value >= goal if self.better == "more" else value <= goal

    def show(self, value):
        value = round(value, self.digits) + 0.0  # no -0.00
        return (
            f"{value:,.{self.digits}f}".replace(",", "\u202f") if self.digits else thousands(value)
        )


def thousands(value):
    """1 230 000 with narrow spaces: of what is large three digits are said."""
    if abs(value) >= 20_000:
        size = 10 ** (len(str(int(abs(value)))) - 3)
        value = round(value / size) * size
    return f"{round(value):,}".replace(",", "\u202f")


@dataclasses.dataclass(frozen=True)
class Section:
    id: str
    title: str
    text: str
    rows: tuple
    measure: object  # (bench, rows) -> None
