#!/usr/bin/python3
"""Writes a C++ file that holds the report's page: embed_report.py OUTPUT HTML CSS JS...

The page names the only style and the only script that may run in it by their hashes, so that
nothing that comes with the data can.
"""
import base64
import hashlib
import pathlib
import sys

DATA = "{{data}}"


def literal(text):
    """Octal escapes only: they end after three digits, whatever follows."""
    octets = text.encode()
    lines = [octets[i:i + 24] for i in range(0, len(octets), 24)]
    return "\n".join('    "' + "".join(f"\\{octet:03o}" for octet in line) + '"' for line in lines)


def source_hash(text):
    """As Content-Security-Policy has it."""
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def main(output, *files):
    page, style, *scripts = [pathlib.Path(path).read_text(encoding="utf-8") for path in files]
    script = "\n".join(scripts)
    for mark, text in [("{{style-hash}}", source_hash(style)), ("{{script-hash}}", source_hash(script)),
                       ("{{style}}", style), ("{{script}}", script)]:
        assert page.count(mark) == 1, f"{files[0]}: {mark} must be there once"
        page = page.replace(mark, text)
    before, after = page.split(DATA)
    pathlib.Path(output).write_text(
        '#include "report_page.h"\n\nnamespace pop3load {\n\n'
        f"ReportPage report_page() {{\n    return {{std::string_view(\n{literal(before)},\n"
        f"    {len(before.encode())}), std::string_view(\n{literal(after)},\n    {len(after.encode())})}};\n"
        "}\n\n}  // namespace pop3load\n", encoding="utf-8")


main(*sys.argv[1:])
