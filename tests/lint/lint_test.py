#!/usr/bin/python3
"""Breaks every rule of lint.py once, in a tree of its own, and asserts that the rule fires; and that
what is allowed does not fire. Last line: `N passed, N failed`."""
import os
import sys
import tempfile

import cpp_scan
import lint


# In every tree: what SAFETY.md may name.
BESIDE = {
    "SAFETY.md": "",
    "tests/meson.build": "sim_sources = files(\n  'sim/a_test.cc',\n)\n",
    "tests/sim/a_test.cc": 'TEST_CASE(\n    "A maildrop, "\n    "whole") {\n}\n',
    "tests/unit/b_test.cc": 'TEST_CASE("an index") {\n}\n',
    "tests/system/c_test.py": "class ATest:\n    def test_it(self):\n        pass\n",
}


def violations_of(check_name, path, text):
    with tempfile.TemporaryDirectory() as root:
        for each, content in {**BESIDE, path: text}.items():
            os.makedirs(os.path.dirname(os.path.join(root, each)), exist_ok=True)
            with open(os.path.join(root, each), "w", encoding="utf-8", newline="") as file:
                file.write(content)
        check = dict((check.__name__, check) for _, check in lint.checks(root)[:-1])
        check["check_headers_alone"] = lint.checks(root)[-1][1]
        return list(check[check_name](lint.load_sources(root)))


def function_of(lines, head="void f(int a)"):
    return head + " {\n" + "    g();\n" * (lines - 2) + "}\n"


# (check, path, text, whether it fires)
CASES = [
    ("check_layers", "src/base/a.h", '#include "ring/ring.h"\n', True),
    ("check_layers", "include/pop3/a.h", '#include "base/result.h"\n', True),
    ("check_layers", "src/pop3/a.cc", '#include "base/assert.h"\n', False),
    ("check_layers", "src/pop3/a.cc", '#include "ring/ring.h"\n', True),
    ("check_layers", "src/ring/a.cc", '#include "pop3/types.h"\n', True),
    ("check_layers", "src/net/a.cc", '#include "maildir/store.h"\n', True),
    ("check_layers", "src/maildir/a.cc", '#include "auth/verifier.h"\n', True),
    ("check_layers", "src/auth/a.cc", '#include "maildir/store.h"\n', True),
    ("check_layers", "src/session/a.cc", '#include "auth/verifier.h"\n', False),
    ("check_layers", "src/session/a.cc", '#include "auth/passwd_file.h"\n', True),
    ("check_layers", "src/session/a.cc", '#include "server/config.h"\n', True),
    ("check_layers", "src/server/a.cc", '#include "cli/demo.h"\n', True),
    ("check_layers", "src/cli/a.cc", '#include "server/server.h"\n', False),
    ("check_libraries", "src/net/a.cc", "#include <liburing.h>\n", True),
    ("check_libraries", "src/ring/uring_queue.cc", "#include <liburing.h>\n", False),
    ("check_libraries", "src/session/a.h", "# include <coroutine>\n", True),
    ("check_libraries", "src/session/a.h", "#include <openssl/ssl.h>\n", True),
    ("check_libraries", "src/net/stream.cc", "#include <openssl/ssl.h>\n", True),
    ("check_libraries", "src/net/tls_engine.cc", "#include <openssl/ssl.h>\n", False),
    ("check_libraries", "src/server/server.cc", "#include <toml++/toml.h>\n", True),
    ("check_libraries", "src/server/config.cc", "#include <toml++/toml.h>\n", False),
    ("check_libraries", "src/server/server.cc", "#include <CLI/CLI.hpp>\n", True),
    ("check_libraries", "src/cli/command_options.h", "#include <CLI/CLI.hpp>\n", False),
    ("check_libraries", "src/base/slab.cc", "#include <mimalloc.h>\n", True),
    ("check_pure_layers", "include/pop3/a.h", "#include <unistd.h>\n", True),
    ("check_pure_layers", "src/pop3/a.cc", "#include <sys/stat.h>\n", True),
    ("check_pure_layers", "src/pop3/a.cc", "#include <string>\n", False),
    ("check_pure_layers", "src/pop3/a.cc", "#include <fstream>\n", True),
    ("check_pure_layers", "include/pop3/a.h", "#include <expected>\n", True),
    ("check_function_length", "src/base/a.cc", function_of(70), False),
    ("check_function_length", "src/base/a.cc", function_of(71), True),
    ("check_function_length", "src/base/a.cc", function_of(71, "A::A(int a) : a_{a}, b_(a)"), True),
    ("check_function_length", "src/base/a.cc", function_of(71, "template <class T>\nT f()"), True),
    ("check_function_length", "src/base/a.cc",
     "namespace a {\nclass B final : public C {\n" + function_of(71, "bool g() const override")
     + "};\n}\n", True),
    ("check_function_length", "src/base/a.cc",
     "namespace a {\n" + function_of(40) + function_of(40) + "}\n", False),
    ("check_function_length", "src/base/a.cc",
     "constexpr A table[] = {\n" + "    {1, 2},\n" * 100 + "};\n", False),
    ("check_function_length", "src/base/a.cc",
     'const char* a() {\n    return "{{{" /* { */ R"x({{)x";  // {\n}\n' + function_of(60), False),
    ("check_function_length", "tests/unit/a_test.cc", function_of(71, 'TEST_CASE("RFC {")'), True),
    ("check_file_length", "src/base/a.cc", "int a;\n" * 600, False),
    ("check_file_length", "src/base/a.cc", "int a;\n" * 601, True),
    ("check_file_length", "src/main.cc", "int a;\n" * 61, True),
    ("check_file_length", "tests/system/a.py", "a = 1\n" * 601, True),
    ("check_text", "src/base/a.cc", "int a; \n", True),
    ("check_text", "src/base/a.cc", "\tint a;\n", True),
    ("check_text", "src/base/a.cc", "int a;", True),
    ("check_text", "src/base/a.cc", "int a;\r\n", True),
    ("check_text", "tools/run", "echo a \n", True),
    ("check_text", "src/base/a.cc", "// " + "a" * 98 + "\n", True),
    ("check_text", "src/base/a.cc", "// " + "ä" * 97 + "\n", False),
    ("check_todo", "src/base/a.cc", "// TODO" + "(now): b\n", True),
    ("check_todo", "src/base/a.cc", "// TODO" + ": b\n", True),
    ("check_todo", "src/base/a.cc", "// TODO(perf): b\n", False),
    ("check_pragma_once", "src/base/a.h", "int a();\n", True),
    ("check_pragma_once", "src/base/a.h", "#pragma once\n", False),
    ("check_macros", "src/base/a.h", "#define TRY(a) a\n", True),
    ("check_macros", "src/base/assert.h", "#define ASSERT(a) a\n", False),
    ("check_co_await", "src/net/a.cc", "T f() { int a = co_await b(c()); }\n", False),
    ("check_co_await", "src/net/a.cc", "T f() { if (a) co_await b(); }\n", False),
    ("check_co_await", "src/net/a.cc", "T f() { g(co_await b()); }\n", True),
    ("check_co_await", "src/net/a.cc", "T f() { if (!(co_await b())) c(); }\n", True),
    ("check_co_await", "src/net/a.cc", "T f() { co_return co_await b(); }\n", True),
    ("check_co_await", "src/net/a.cc", "T f() { auto [a, b] = co_await c(); }\n", True),
    ("check_co_await", "src/net/a.cc", "T f() { int a = co_await b() ? 1 : 2; }\n", True),
    ("check_co_await", "src/net/a.cc", "T f() { int a = 1 + co_await b(); }\n", True),
    ("check_safety_commands", "SAFETY.md", "a_test, `build/release/sim_tests -tc='a maildrop, *'`\n", True),
    ("check_safety_commands", "SAFETY.md", "a_test, `build/release/sim_tests -tc='a mail*,*OLE'`\n", False),
    ("check_safety_commands", "SAFETY.md", "`build/release/sim_tests -tc='*whole,an index'`\n", True),
    ("check_safety_commands", "SAFETY.md", "`build/release/sim_tests -sf='*a_test*'`\n", False),
    ("check_safety_commands", "SAFETY.md", "`build/release/sim_tests -sf='*b_test*'`\n", True),
    ("check_safety_commands", "SAFETY.md", "`build/release/sim_tests`\n", True),
    ("check_safety_commands", "SAFETY.md", "`A=1 tests/system/run.py --binary b c_test ATest.test_i`\n", False),
    ("check_safety_commands", "SAFETY.md", "`tests/system/run.py --binary b c_test d_tes`\n", True),
    ("check_safety_commands", "SAFETY.md", "seen by d_test\n", True),
    ("check_headers_alone", "src/base/a.h", "#pragma once\nstd::string a();\n", True),
    ("check_headers_alone", "src/base/a.h", "#pragma once\n#include <string>\nstd::string a();\n",
     False),
]


def names_found():
    """The scanner names what it found, so that lint.py's table of exceptions can name it."""
    code = cpp_scan.blank_out("int main() {\n}\nA::~A() { f('{'); }\nbool operator==(B, B) { return 1'000; }\n")
    return [function.name for function in cpp_scan.functions(code)]


def main():
    passed = failed = 0
    for check, path, text, fires in CASES:
        violations = violations_of(check, path, text)
        if bool(violations) == fires:
            passed += 1
        else:
            failed += 1
            print(f"FAILED: {check} on {path}: {text[:80]!r}: expected "
                  f"{'a violation' if fires else 'none'}, got {violations}")
    if names_found() == ["main", "A::~A", "operator=="]:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: names of functions: {names_found()}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
