"""No statement with co_await holds what gcc 12 miscompiles there; and the lint itself can tell."""
import pytest

import coroutine_trap
from sources import cpp_files, read

BAD = {
    "an aggregate argument": "co_await f({.name = s});",
    "a brace list argument": "co_await f({a, b});",
    "a typed brace temporary": "auto x = co_await f(Options{a});",
    "a capturing lambda": "co_await co_spawn(ex, [x] { return g(x); }, use_awaitable);",
    "a lambda with a default capture": "auto r = co_await run([&]() mutable { return 1; });",
    "a lambda with an init capture": "co_await run([p = std::move(p)] { return p; });",
    "a conditional": "auto r = c ? co_await a() : b;",
    "a conditional in co_return": "co_return co_await a(c ? 1 : 2);",
    "over several lines": "co_await f(\n    1,\n    {.a = 1});",
    "inside an if": "if (co_await f({1, 2})) { g(); }",
    "in the loop's test": "while (co_await f(c ? 1 : 2)) g();",
    "inside a lambda's body": "auto f = [&]() -> awaitable<void> { co_await g({.a = 1}); };",
    "in an if without braces": "if (x) co_await f(Type{1});",
    "a brace temporary around it": "Thing thing = Thing{co_await f()};",
    "a lambda given to a call in co_return": "co_return co_await run([this] { return a_; });",
}
GOOD = {
    "named before": "auto work = [x] { return g(x); }; co_await run(work);",
    "a named aggregate": "Options o{.name = s}; co_await f(o);",
    "a lambda without captures": "co_await run([] { return 1; });",
    "another statement's conditional": "int n = c ? 1 : 2; co_await f(n);",
    "an await in an if-init": "if (auto r = co_await f(); r) { use(Thing{1}); }",
    "what follows the if": "if (co_await f()) { g({1, 2}); h(c ? 1 : 2); }",
    "a lambda's body with an await": "auto f = [&]() -> awaitable<void> { co_await g(); };",
    "an index": "co_await f(a[i], b[0]);",
    "comments and strings": 'co_await f("{? [x]");  // {.a = 1} ? [x] :',
    "an attribute": "[[maybe_unused]] auto r = co_await f();",
    "a conditional in a loop's other part": "for (int i = c ? 1 : 2; co_await f(i); ++i) g();",
    "logical operators": "co_await (a() || b());",
    "a function's body": "struct A { awaitable<int> f(int x = {}) { co_return co_await g(); } };",
    "a constructor's list": "A::A(int a) : a_{a}, b_(a) { g({1}); }\nX y() { co_await z(); }",
    "digits with separators": "auto n = 1'000; co_await f(n); auto k = 2'000;",
}


@pytest.mark.parametrize("what", BAD)
def test_the_lint_finds(what):
    source = "awaitable<void> run() {\n  " + BAD[what] + "\n}\n"
    assert coroutine_trap.find(source), source


@pytest.mark.parametrize("what", GOOD)
def test_the_lint_lets_pass(what):
    source = "awaitable<void> run() {\n  " + GOOD[what] + "\n}\n"
    assert coroutine_trap.find(source) == [], source


def test_no_statement_with_co_await_holds_what_gcc_12_miscompiles():
    found = [f"{name}:{line}: {what}: name it first" for name in cpp_files()
             for line, what in coroutine_trap.find(read(name))]
    assert not found, "\n" + "\n".join(found)
