"""The commands and the tests that SAFETY.md names, held against the tests there are, without running any."""
import os
import re

DOCTEST = re.compile(r"`build/release/(\w+)_tests([^`]*)`")
SYSTEM = re.compile(r"`(?:\w+=\S+ )*tests/system/run\.py --binary \S+ ([^`]*)`")
NAMED = re.compile(r"\b\w+_test\b")
LIST_OF = {"unit": "unit_sources", "sim": "sim_sources", "load": "load_test_sources"}  # tests/meson.build
CASE = re.compile(r'TEST_CASE(?:_TEMPLATE)?\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
CLASS_OR_TEST = re.compile(r"^(?:class (\w+)|    def (test_\w+))", re.M)


def violations(safety, texts):
    """`texts`: of all files, by path."""
    for match in DOCTEST.finditer(safety.text):
        cases = list(cases_of(match[1], texts))
        filters = re.findall(r"-(tc|sf)='([^']*)'", match[2])
        for kind, pattern in ((kind, each) for kind, patterns in filters for each in patterns.split(",")):
            if not any(fits(pattern, path if kind == "sf" else name) for path, name in cases):
                yield f"{safety.at(match.start())}: no test of {match[1]}_tests fits -{kind}='{pattern}'"
        if not filters:
            yield f"{safety.at(match.start())}: {match[0]} selects nothing"
    for match in SYSTEM.finditer(safety.text):
        names = list(system_tests(texts))
        for pattern in match[1].split():
            if not any(pattern in name for name in names):
                yield f"{safety.at(match.start())}: no system test's name has {pattern} in it"
    stems = {os.path.splitext(os.path.basename(path))[0] for path in texts}
    for match in NAMED.finditer(safety.text):
        if not any(stem.endswith(match[0]) for stem in stems):
            yield f"{safety.at(match.start())}: there is no {match[0]}"


def cases_of(binary, texts):
    """(path, name) of each test case of build/release/BINARY_tests."""
    listed = re.search(rf"^{LIST_OF[binary]} = files\((.*?)^\)", texts["tests/meson.build"], re.M | re.S)
    for path in re.findall(r"'(\S+\.cc)'", listed[1]):
        path = os.path.normpath(os.path.join("tests", path))
        for match in CASE.finditer(texts.get(path, "")):
            yield path, "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match[1]))


def fits(pattern, text):
    """As doctest has it: `*` is anything, upper and lower case are one."""
    expression = ".*".join(map(re.escape, pattern.split("*")))
    return re.fullmatch(expression, text, re.I | re.S) is not None


def system_tests(texts):
    """As run.py names them: module.Class.test; of those that are made or inherited only the module."""
    for path, text in texts.items():
        if not re.fullmatch(r"tests/system/\w+_test\.py", path):
            continue
        module, name_of_class = os.path.basename(path)[:-3], ""
        yield module
        for match in CLASS_OR_TEST.finditer(text):
            name_of_class = match[1] or name_of_class
            if match[2]:
                yield f"{module}.{name_of_class}.{match[2]}"
