"""Finds statements that gcc 12 miscompiles in coroutines (double free, without a word).

A statement that holds co_await (or co_yield, or `co_return co_await`) must not also hold
  - a lambda with captures,
  - a brace-initialised temporary: `{.name = x}`, `Type{x}`, `f({a, b})`,
  - `? :`.
Name them first. What is inside a lambda's body is statements of its own.
"""
import re

from sources import without_comments_and_strings

_TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.']*|::|->|&&|\|\||[-+*/%&|^=!<>]=|<=>|\S")
_CONTROL = {"if", "while", "for", "switch", "catch"}
_OPEN = {"(": ")", "[": "]", "{": "}"}
_AWAIT = {"co_await", "co_yield"}


def find(text):
    """[(line, what)] of all traps in a C++ source."""
    clean = _without_preprocessor(without_comments_and_strings(text))
    tokens = [(found.group(), clean.count("\n", 0, found.start()) + 1)
              for found in _TOKEN.finditer(clean)]
    found = []
    _block(tokens, 0, found)
    return sorted(set(found))


def _without_preprocessor(text):
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: "\n" * m.group().count("\n"), text,
                  flags=re.M)


class _Statement:
    def __init__(self):
        self.awaits = None  # line of the first co_await
        self.traps = []

    def finish(self, found):
        if self.awaits is not None:
            found += self.traps


def _block(tokens, at, found):
    """Statements up to the closing brace of the block; the index after it."""
    statement = _Statement()
    previous = ""
    header = []  # the statement's tokens outside of brackets, to tell blocks from initialisers
    while at < len(tokens):
        word, line = tokens[at]
        if word == "}":
            break
        if word == ";":
            statement.finish(found)
            statement, header, previous = _Statement(), [], ";"
            at += 1
        elif word == "{":
            if _opens_block(header, previous):
                # `if (co_await f()) {`, a function, a class: what stood before is complete.
                statement.finish(found)
                at = _block(tokens, at + 1, found)
                statement, header, previous = _Statement(), [], "}"
            else:
                at = _expression(tokens, at, statement, found, header, previous)
                header.append("{}")
                previous = "}"
        elif word in ":" and header and header[-1] in ("public", "private", "protected", "default"):
            statement, header, previous = _Statement(), [], ":"
            at += 1
        else:
            # The parts of `for (a; b; c)` and of `if (init; test)` are one full expression each.
            parts = word == "(" and _is_control(header)
            at = _expression(tokens, at, statement, found, header, previous, parts)
            previous = tokens[at - 1][0]
            header.append(word if word not in _OPEN else word + _OPEN[word])
    statement.finish(found)
    return at + 1


def _is_control(header):
    return bool(header) and (header[-1] in _CONTROL or header[-2:] == ["if", "constexpr"])


def _opens_block(header, previous):
    if not header or previous in (")", "else", "do", "try", "const", "noexcept", "override",
                                  "final", "mutable", ":", "}"):
        if not header or "=" not in header or header[0] in _CONTROL:
            return "return" not in header and not {"co_return", "co_await"} & set(header[-1:])
        return False
    return (header[0] in {"namespace", "class", "struct", "union", "enum", "extern", "export"} or
            "class" in header or "struct" in header or "enum" in header or
            # a function with a trailing return type
            "->" in header and "()" in header and "=" not in header)


def _expression(tokens, at, statement, found, header, previous, parts=False):
    """One token, or one bracket with all inside, of the statement; the index after it."""
    word, line = tokens[at]
    if word in _AWAIT and statement.awaits is None:
        statement.awaits = line
    if word == "?":
        statement.traps.append((line, "?: beside co_await"))
    if word == "[" and _is_lambda(tokens, at, previous):
        return _lambda(tokens, at, statement, found)
    if word not in _OPEN:
        return at + 1
    if word == "{" and not _is_declaration(header):
        statement.traps.append((line, "brace temporary beside co_await"))
    close, inside, at = _OPEN[word], word, at + 1
    part = _Statement() if parts else statement
    while at < len(tokens) and tokens[at][0] != close:
        if parts and tokens[at][0] == ";":
            part.finish(found)
            part = _Statement()
            inside, at = ";", at + 1
            continue
        at = _expression(tokens, at, part, found, [], inside)
        inside = tokens[at - 1][0]
    if parts:
        part.finish(found)
    return at + 1


def _is_declaration(header):
    """`Type name{...}` is a variable: not a temporary. `Type{...}`, `f({...})`, `= {...}` are."""
    words = [word for word in header if word not in ("const", "auto", "static")]
    return (len(words) >= 2 and not {"=", "return", "co_return", "co_await", "()", "."} & set(words)
            and words[-1][:1].isidentifier() and words[-2] not in ("::", "->"))


def _is_lambda(tokens, at, previous):
    if tokens[at + 1][0] == "[":  # [[attribute]]
        return False
    return not (previous[:1].isidentifier() and previous not in ("return", "co_return", "co_await",
                                                                 "co_yield", "case")
                ) and previous not in (")", "]", "[")


def _skip(tokens, at):
    """The index after the bracket that opens at `at`."""
    depth = 0
    while at < len(tokens):
        depth += (tokens[at][0] in _OPEN) - (tokens[at][0] in _OPEN.values())
        at += 1
        if depth == 0:
            break
    return at


def _lambda(tokens, at, statement, found):
    line = tokens[at][1]
    end = _skip(tokens, at)
    if end - at > 2:
        statement.traps.append((line, "capturing lambda beside co_await"))
    at = end
    while at < len(tokens) and tokens[at][0] not in ("{", ";", ")", ","):
        at = _skip(tokens, at) if tokens[at][0] == "(" else at + 1
    if at < len(tokens) and tokens[at][0] == "{":
        return _block(tokens, at + 1, found)
    return at
