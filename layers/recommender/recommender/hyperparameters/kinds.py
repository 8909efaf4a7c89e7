"""Kinds of hyperparameters: which texts are a value, and how to say so."""

import math
import re
from dataclasses import dataclass

_INTEGER = re.compile(r"[+-]?[0-9]+")
_SIZES = re.compile(r"[0-9]{1,10}(,[0-9]{1,10})+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class Integer:
    """An integer hyperparameter; without a default it is required."""

    name: str
    default: str | None
    low: int
    high: int

    @property
    def allowed(self) -> str:
        """Say what is expected."""
        return f"an integer from {self.low} to {self.high}"

    def accepts(self, text: str) -> bool:
        """Tell whether a text is a value in the range."""
        return bool(_INTEGER.fullmatch(text)) and self.low <= int(text) <= self.high


@dataclass(frozen=True)
class Number:
    """A real hyperparameter; without a default it may stay unset."""

    name: str
    default: str | None
    low: float
    high: float
    above_low: bool = False

    @property
    def allowed(self) -> str:
        """Say what is expected."""
        return f"a number {'above' if self.above_low else 'from'} {self.low:g} to {self.high:g}"

    def accepts(self, text: str) -> bool:
        """Tell whether a text is a value in the range."""
        if not _NUMBER.fullmatch(text):
            return False
        value = float(text)
        if not math.isfinite(value) or (self.above_low and value <= self.low):
            return False
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """A hyperparameter that is one of a few words; without a default it is required."""

    name: str
    default: str | None
    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """Say what is expected."""
        return " or ".join(self.words)

    def accepts(self, text: str) -> bool:
        """Tell whether a text is one of the words."""
        return text in self.words


@dataclass(frozen=True)
class Sizes:
    """A hyperparameter that is a list of sizes; without a default it may stay unset."""

    name: str
    default: str | None

    @property
    def allowed(self) -> str:
        """Say what is expected."""
        return "two or more positive integers, separated by commas, that add up to feature_dim"

    def accepts(self, text: str) -> bool:
        """Tell whether a text is such a list; what it adds up to is not looked at here."""
        return bool(_SIZES.fullmatch(text)) and min(sizes_of(text)) > 0


Kind = Integer | Number | Choice | Sizes


def sizes_of(text: str) -> tuple[int, ...]:
    """Read a list of sizes."""
    return tuple(int(size) for size in text.split(","))
