#!/usr/bin/python3
"""Writes a C++ file that holds the given mail files: embed_mail.py OUTPUT FILE..."""
import pathlib
import sys


def literal(octets):
    """Octal escapes only: they end after three digits, whatever follows."""
    lines = [octets[i:i + 24] for i in range(0, len(octets), 24)]
    return "\n".join('    "' + "".join(f"\\{octet:03o}" for octet in line) + '"' for line in lines)


def main(output, *files):
    rows = []
    for path in map(pathlib.Path, files):
        content = path.read_bytes()
        rows.append(f'    {{"{path.name}", std::string_view(\n{literal(content)},\n    {len(content)})}},')
    pathlib.Path(output).write_text(
        '#include "cli/sample_mail.h"\n\nnamespace restante {\nnamespace {\n\n'
        "constexpr SampleMail mails[] = {\n" + "\n".join(rows) + "\n};\n\n}  // namespace\n\n"
        "std::span<const SampleMail> sample_mail() { return mails; }\n\n}  // namespace restante\n")


main(*sys.argv[1:])
