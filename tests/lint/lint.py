#!/usr/bin/python3
"""Checks the house rules on the sources: layers, lengths, headers, text. `lint.py [ROOT]`.

One line a check; a failed one lists file:line and the rule first. Last line: `N passed, N failed`.
"""
import concurrent.futures
import os
import re
import subprocess
import sys

import cpp_scan
import safety_commands

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
FILE_LINES_MAX_OF = {"src/main.cc": 60}
COLUMNS_MAX = 100
HEADER_JOBS = 2
COMPILE_SECONDS_MAX = 120

SAFETY = "SAFETY.md"
SOURCE_FOLDERS = ("include", "src", "tests", "bench", "tools", "conf", ".ci")
SKIPPED_FOLDERS = ("tests/corpus", "tests/fuzz/corpus", "tests/transcripts", "__pycache__")
CPP_ENDINGS = (".h", ".cc")

# (file, function): why it may be longer. A row that is not needed any more fails too.
LONG_FUNCTIONS = {}

# Layer -> project includes it may have (prefixes of the quoted path). design: "Shape".
LAYERS = {
    "src/base/": ("base/",),
    "include/pop3/": ("pop3/",),
    "src/pop3/": ("pop3/", "base/"),
    "src/ring/": ("base/", "ring/"),
    "src/net/": ("base/", "ring/", "net/"),
    "src/maildir/": ("base/", "pop3/", "ring/", "maildir/"),
    "src/auth/": ("base/", "ring/", "auth/"),
    "src/session/": ("base/", "pop3/", "ring/", "maildir/", "net/stream", "net/tls_", "auth/verifier.h",
                     "auth/sasl_", "auth/tally.h", "auth/throttle.h", "session/"),
    "src/server/": ("base/", "pop3/", "ring/", "net/", "maildir/", "auth/", "session/", "server/"),
    "src/cli/": ("base/", "pop3/", "ring/", "net/", "maildir/", "auth/", "session/", "server/",
                 "cli/"),
    "src/main.cc": ("cli/", "base/"),
}

# Library header -> the only sources that may include it.
LIBRARY_HOMES = {
    r"liburing.*": r"src/ring/uring_queue\.(h|cc)",
    r"coroutine": r"src/ring/task\.h",
    r"openssl/.*": r"src/net/tls_[^/]*|src/auth/.*",
    r"toml(\+\+|plusplus).*": r"src/server/config[^/]*\.cc",
    r"CLI/.*": r"src/cli/command_options\.h",
    r"hwy/.*": r"src/base/text_lines\.cc|tests/unit/pop3_vector_passes_test\.cc",
    r"gsasl\.h": r"src/auth/(gsasl_exchange|scram)\.cc",
    r"curl/.*": r"src/auth/introspection\.(h|cc)",
    r"jansson\.h": r"src/auth/json_object\.h",
    r"mimalloc.*": r"(?!)",
}

# The macros there are, and where. TOML_ASSERT: toml++ asserts what a file can break.
# HWY_TARGET_INCLUDE: Highway compiles the file that it names once for each kind of processor.
MACROS = {("ASSERT", "src/base/assert.h"), ("TOML_ASSERT", "src/server/config.cc"),
          ("TOML_UNREACHABLE", "src/server/config.cc"),
          ("HWY_TARGET_INCLUDE", "src/base/text_lines.cc")}

# Layers that are pure C++: standard headers only.
PURE_LAYERS = ("include/pop3/", "src/pop3/")
STANDARD_HEADERS = frozenset("""
    algorithm any array bit bitset cassert cctype cerrno charconv chrono climits compare concepts
    cstddef cstdint cstdio cstdlib cstring deque exception expected functional initializer_list
    iterator limits list map memory memory_resource new numeric optional ostream queue random
    ranges ratio set source_location span sstream stdexcept string string_view system_error tuple
    type_traits unordered_map unordered_set utility variant vector version
""".split())


class Source:
    """One file: its path from the root, its text, and (C++) the text without comments and strings."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8", newline="") as file:
            self.text = file.read()
        self.lines = self.text.split("\n")
        self.is_cpp = path.endswith(CPP_ENDINGS)
        self.is_header = path.endswith(".h")
        self.code = cpp_scan.blank_out(self.text) if self.is_cpp else ""

    def at(self, offset):
        return f"{self.path}:{self.text.count(chr(10), 0, offset) + 1}"

    def includes(self):
        """(place, "<" or '"', header) of every #include."""
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', self.text, re.M):
            yield self.at(match.start(1)), match.group(1), match.group(2)


def load_sources(root):
    sources = [Source(root, SAFETY)]
    for folder in SOURCE_FOLDERS:
        for directory, subfolders, files in os.walk(os.path.join(root, folder)):
            relative = os.path.relpath(directory, root)
            subfolders[:] = sorted(name for name in subfolders
                                   if os.path.join(relative, name) not in SKIPPED_FOLDERS
                                   and name not in SKIPPED_FOLDERS)
            for name in sorted(files):
                path = os.path.join(directory, name)
                if is_text(path):
                    sources.append(Source(root, os.path.join(relative, name)))
    return sources


def is_text(path):
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        octets = file.read()
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return b"\0" not in octets


def check_layers(sources):
    for source in sources:
        layer = next((name for name in LAYERS if source.path.startswith(name)), None)
        if not source.is_cpp or layer is None:
            continue
        for place, form, header in source.includes():
            if form == '"' and not header.startswith(LAYERS[layer]):
                yield f'{place}: {layer} may not include "{header}"'


def check_libraries(sources):
    for source in sources:
        if not source.is_cpp or not source.path.startswith(("include/", "src/")):
            continue
        for place, form, header in source.includes():
            for library, home in LIBRARY_HOMES.items():
                if form == "<" and re.fullmatch(library, header) and not re.fullmatch(home, source.path):
                    yield f"{place}: <{header}> does not belong here (its home: {home})"


def check_pure_layers(sources):
    for source in sources:
        if not source.path.startswith(PURE_LAYERS):
            continue
        for place, form, header in source.includes():
            if form == "<" and header not in STANDARD_HEADERS:
                yield f"{place}: <{header}> in a pure layer: only these std headers: no I/O, no clock"
            if header == "expected" and source.path.startswith("include/"):
                yield f"{place}: <expected> in include/pop3: fuzzers with older clang cannot read it"


def check_function_length(sources):
    unused = set(LONG_FUNCTIONS)
    for source in sources:
        if not source.is_cpp:
            continue
        for function in cpp_scan.functions(source.code):
            lines = source.code.count("\n", function.first, function.last) + 1
            if lines <= FUNCTION_LINES_MAX:
                continue
            if (source.path, function.name) in LONG_FUNCTIONS:
                unused.discard((source.path, function.name))
                continue
            yield f"{source.at(function.first)}: {function.name} has {lines} lines (at most {FUNCTION_LINES_MAX})"
    for path, name in sorted(unused):
        yield f"{path}: {name} is not a long function: remove it from LONG_FUNCTIONS"


def check_file_length(sources):
    for source in sources:
        lines_max = FILE_LINES_MAX_OF.get(source.path, FILE_LINES_MAX)
        lines = len(source.lines) - 1
        if lines > lines_max:
            yield f"{source.path}: {lines} lines (at most {lines_max})"


def check_text(sources):
    for source in sources:
        for number, line in enumerate(source.lines, 1):
            place = f"{source.path}:{number}"
            if line != line.rstrip():
                yield f"{place}: space at the end of the line"
            if "\t" in line:
                yield f"{place}: tab"
            if len(line) > COLUMNS_MAX and source.is_cpp:
                yield f"{place}: {len(line)} columns (at most {COLUMNS_MAX})"
        if source.text and not source.text.endswith("\n"):
            yield f"{source.path}: no line end at the end"


def check_todo(sources):
    allowed = re.compile(r"TODO\((perf|security)\)")
    for source in sources:
        if not source.is_cpp:
            continue
        for match in re.finditer(r"\b(TODO|FIXME|XXX)\b", source.text):
            if not allowed.match(source.text, match.start()):
                yield f"{source.at(match.start())}: {match.group()} without a kind, or one for now"


def check_pragma_once(sources):
    for source in sources:
        if source.is_header and not re.search(r"^#pragma once$", source.text, re.M):
            yield f"{source.path}: no #pragma once"


def check_macros(sources):
    for source in sources:
        if not source.is_cpp or not source.path.startswith(("include/", "src/")):
            continue
        for match in re.finditer(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", source.code, re.M):
            if (match.group(1), source.path) not in MACROS:
                yield f"{source.at(match.start())}: macro {match.group(1)}: ASSERT is the only one"


def check_co_await(sources):
    """co_await is a whole statement, or the whole right-hand side of a named variable (g++ 12)."""
    for source in sources:
        for match in re.finditer(r"\bco_await\b", source.code):
            before = source.code[:match.start()].rstrip()
            statement = source.code[match.end():source.code.find(";", match.end())]
            whole = before.endswith((";", "{", "}", "=", ")", "else", "do"))
            if not whole or before.endswith(("==", "!=", "<=", ">=")):
                yield f"{source.at(match.start())}: co_await inside an expression"
            elif re.search(r"\]\s*=$", before):
                yield f"{source.at(match.start())}: structured binding of a co_await"
            elif "?" in cpp_scan.outside_parentheses(statement):
                yield f"{source.at(match.start())}: ?: with a co_await"


def check_safety_commands(sources):
    safety = next(source for source in sources if source.path == SAFETY)
    yield from safety_commands.violations(safety, {source.path: source.text for source in sources})


def check_headers_alone(sources, root):
    headers = [source.path for source in sources if source.is_header]
    command = ["g++", "-std=c++23", "-fsyntax-only", "-Wall", "-Iinclude", "-Isrc", "-Itests", "-I.",
               "-x", "c++", "/dev/null", "-include"]

    def compile_alone(path):
        run = subprocess.run([*command, path], cwd=root, capture_output=True, text=True,
                             timeout=COMPILE_SECONDS_MAX)
        return path, run.returncode, run.stderr

    with concurrent.futures.ThreadPoolExecutor(HEADER_JOBS) as pool:
        for path, status, errors in pool.map(compile_alone, headers):
            if status != 0:
                yield f"{path}: does not compile alone:\n{errors.rstrip()}"


def checks(root):
    """(name, function of the sources) of every check, the slow one last."""
    return [
        ("each layer includes only what its row allows", check_layers),
        ("libraries stay in their homes", check_libraries),
        ("the pop3 layer is pure", check_pure_layers),
        (f"functions have at most {FUNCTION_LINES_MAX} lines", check_function_length),
        (f"files have at most {FILE_LINES_MAX} lines", check_file_length),
        ("lines: no tabs, no space at the end, 100 columns", check_text),
        ("no TODO for now", check_todo),
        ("headers have #pragma once", check_pragma_once),
        ("ASSERT is the only macro", check_macros),
        ("co_await stands alone", check_co_await),
        ("SAFETY.md names tests that there are, and commands that select some", check_safety_commands),
        ("headers compile alone", lambda sources: check_headers_alone(sources, root)),
    ]


def main(root):
    sources = load_sources(root)
    passed = failed = 0
    for name, check in checks(root):
        violations = list(check(sources))
        for violation in violations:
            print(f"  {violation}")
        print(f"{'FAILED' if violations else 'ok'}: {name}")
        passed += not violations
        failed += bool(violations)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not sources else 0


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", "..")))
