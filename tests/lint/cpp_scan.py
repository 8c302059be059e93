"""Reads C++ well enough to find functions: for lint.py, over sources that clang-format laid out."""
import collections
import re

Function = collections.namedtuple("Function", "name first last")  # offsets; `last` is the final }

_SKIPPED = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|R"(?P<mark>[^()\\ ]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'", re.S)
_DIRECTIVE = re.compile(r"^[ \t]*#(?!\s*define)(?:\\\n|[^\n])*", re.M)
_SCOPE = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")


def blank_out(text):
    """`text` of the same length and lines, comments and the insides of literals made blank."""
    return _SKIPPED.sub(_blank, text)


def _blank(match):
    found = match.group()
    blank = re.sub(r"[^\n]", " ", found)
    is_comment = found.startswith(("//", "/*"))
    return blank if is_comment or len(found) < 2 else '"' + blank[1:-1] + '"'


def functions(code):
    """Every function (and TEST_CASE) in `code`, which went through blank_out(); lambdas and local
    classes belong to the function around them."""
    code = _DIRECTIVE.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), code)
    code = re.sub(r"#\s*define(?:\\\n|[^\n])*", lambda m: re.sub(r"[^\n]", " ", m.group()), code)
    closing = _match_braces(code)
    found = []
    offset = head_start = 0
    while offset < len(code):
        octet = code[offset]
        if octet == "(":
            offset = _after_parentheses(code, offset)
            continue
        if octet == "{":
            end = closing.get(offset, len(code) - 1)
            head = code[head_start:offset]
            kind = _kind(head, code[end + 1:])
            if kind == "function":
                first = head_start + len(head) - len(head.lstrip())
                found.append(Function(_name(head), first, end))
            if kind == "part":  # a_{1} in a constructor's initialisers: the head goes on
                offset = end + 1
                continue
            offset = offset + 1 if kind == "scope" else end + 1
            head_start = offset
            continue
        if octet in ";}" or (octet == ":" and _is_access(code[head_start:offset])):
            head_start = offset + 1
        offset += 1
    return found


def _is_access(head):
    return head.strip() in ("public", "protected", "private")


def _match_braces(code):
    opened, closing = [], {}
    for match in re.finditer(r"[{}]", code):
        if match.group() == "{":
            opened.append(match.start())
        elif opened:
            closing[opened.pop()] = match.start()
    return closing


def _after_parentheses(code, offset):
    depth = 0
    while offset < len(code):
        depth += {"(": 1, ")": -1}.get(code[offset], 0)
        offset += 1
        if depth == 0:
            break
    return offset


def outside_parentheses(code):
    """`code` without what stands in (), [] or {}."""
    depth, kept = 0, []
    for octet in code:
        depth -= octet in ")]}"
        if depth <= 0:
            kept.append(octet)
        depth += octet in "([{"
    return "".join(kept)


def _kind(head, rest):
    """What the brace after `head` opens, at namespace or class scope."""
    plain = outside_parentheses(re.sub(r"\btemplate\s*<[^{;]*?>\s*(?=\w)", "", head))
    if re.search(r"=\s*$", plain) or "(" not in head:
        return "scope" if _SCOPE.search(plain) and "=" not in plain else "other"
    if re.match(r"\s*[,{]", rest) and re.search(r"\)[^()]*:[^:]", head):
        return "part"
    if re.match(r"\s*(namespace|class|struct|union|enum)\b", plain) and not re.search(
            r"\w\s*\(\s*\)\s*[^()]*$", plain):
        return "scope"  # class alignas(64) X
    return "function"


def _name(head):
    test = re.search(r"\b(TEST_CASE\w*|BENCHMARK\w*|SCENARIO)\b", head)
    if test:
        return test.group(1)
    name = re.search(r"((?:[\w~]+(?:<[^<>()]*>)?::)*(?:operator\s*[^\s(]+|[~\w]+))\s*\(", head)
    return name.group(1) if name else "?"
