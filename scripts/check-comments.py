#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
"""Find comments that name functions which no longer exist.

A comment that names a function that is gone is worse than none.  A name
followed by "()" counts as existing when it is an identifier in the code of any
file given, or in a header below one of the --kernel directories.

Also reports files and functions that are longer than we aim for.
"""

import os
import re
import sys

COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*', re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
CALL = re.compile(r'(?<![\w.>*-])([a-z_][a-z0-9_]{3,})\(\)')
WORD = re.compile(r'[A-Za-z_]\w*')


def kernel_words(dirs, wanted):
    """Which of the wanted names appear in the kernel's headers."""
    found = set()
    for top in dirs:
        for path, _, files in os.walk(top):
            for name in files:
                if not name.endswith('.h'):
                    continue
                with open(os.path.join(path, name), errors='replace') as f:
                    text = f.read()
                found |= {w for w in wanted - found if w in text}
                if found == wanted:
                    return found
    return found


def functions(text):
    """(name, line, body lines) of every function, by the kernel's layout."""
    lines = text.split('\n')
    start = None
    for i, line in enumerate(lines):
        if line == '{':
            start = i
        elif line == '}' and start is not None:
            name = '?'
            for j in range(start - 1, max(start - 12, -1), -1):
                m = re.match(r'^[A-Za-z_].*?(\w+)\(', lines[j])
                if m:
                    name = m.group(1)
                    break
            yield name, start + 1, i - start - 1
            start = None


def main():
    kernel, files = [], []
    for arg in sys.argv[1:]:
        if arg.startswith('--kernel='):
            kernel.append(arg[9:])
        else:
            files.append(arg)
    words, mentions, notes = set(), [], []
    for path in files:
        with open(path) as f:
            text = f.read()
        if not path.endswith(('.c', '.h')):
            words |= set(WORD.findall(text))
            continue
        code = COMMENT.sub(' ', text)
        words |= set(WORD.findall(STRING.sub(' ', code)))
        for m in COMMENT.finditer(text):
            line = text.count('\n', 0, m.start()) + 1
            for c in CALL.finditer(m.group()):
                at = line + m.group().count('\n', 0, c.start())
                mentions.append((path, at, c.group(1)))
        nr, limit = text.count('\n'), 700 if path.endswith('.c') else 300
        if nr > limit and not path.startswith('tests/'):
            notes.append(f'{path}: {nr} lines: two concepts? (aim: {limit})')
        if path.endswith('.c') and not path.startswith('tests/'):
            for name, at, length in functions(text):
                if length > 60:
                    notes.append(f'{path}:{at}: {name}() has {length} lines (aim: 60)')
    unknown = {n for _, _, n in mentions} - words
    unknown -= kernel_words(kernel, unknown)
    for path, line, name in mentions:
        if name in unknown:
            print(f'{path}:{line}: comment names {name}(), which does not exist')
    for note in notes:
        print(f'note: {note}')
    return 1 if unknown else 0


sys.exit(main())
