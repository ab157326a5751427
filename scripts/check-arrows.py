#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Which file of the module depends on which, judged by what it includes, calls
# and reads; a .c file and the header of its name count as one.
#
#   scripts/check-arrows.py FILE...          refuses circles within a folder,
#                                            arrows that point upwards between
#                                            folders, and functions declared in
#                                            another file's header (btree.h is
#                                            the header of all btree-*.c)
#   scripts/check-arrows.py --list FILE...   prints the arrows
#
# Every file given is read; comments and strings do not count.

import os
import re
import sys

# From the top down: a folder may depend on itself and on what is below it.
LAYERS = ["dm-thin-pool", "dm-thinx", "control", "data-path", "dm-thinx-metadata", "metadata",
          "persistent-data", "include"]
# Leaves that anything may depend on.
LEAVES = {"dm-thinx-types.h"}

KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "typeof"}


def code_of(path):
    text = open(path, encoding="utf-8").read()
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"',
                  lambda m: m.group() if m.group().startswith('"') else
                  "\n" * m.group().count("\n") or " ", text, flags=re.S)


def without_strings(code):
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', code)


def unit_of(path):
    if path in LEAVES:
        return path
    return re.sub(r"\.[ch]$", "", path)


def layer_of(unit):
    if unit in LEAVES:
        return None
    top = unit.split("/")[0]
    return LAYERS.index(top) if top in LAYERS else None


def globals_of(code):
    """Functions and objects a .c file defines for others."""
    names = set()
    for m in re.finditer(r"^(?!static\b|typedef\b|#)([A-Za-z_][^;={}()\n]*?)"
                         r"\b(\w+)\(([^;{}]*)\)[^;{}]*\n\{", code, re.M):
        if m.group(2) not in KEYWORDS:
            names.add(m.group(2))
    for m in re.finditer(r"^(?!static\b|typedef\b|extern\b|struct \w+ \{)"
                         r"(?:const |unsigned |struct )[^;(){}\n]*?"
                         r"\b(\w+)(?:\[[^\]]*\])?(?: =[^;]*|);", code, re.M | re.S):
        names.add(m.group(1))
    return names


def declared_in(code):
    code = re.sub(r"^[ \t]*#.*(?:\\\n.*)*$", "", code, flags=re.M)
    names = {m.group(1) for m in re.finditer(
        r"^(?!static\b|typedef\b)[A-Za-z_][^;={}()]*?\b(\w+)\([^{}]*?\)[^;{}]*;",
        code, re.M)}
    return names | {m.group(1) for m in re.finditer(
        r"^extern [^;()]*?\b(\w+)(?:\[[^\]]*\])?;", code, re.M)}


def circles(nodes, arrows):
    """Strongly connected components of more than one node (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(v):
        index[v] = low[v] = len(index)
        stack.append(v)
        for w in sorted(arrows.get(v, ())):
            if w not in nodes:
                continue
            if w not in index:
                visit(w)
                low[v] = min(low[v], low[w])
            elif w in stack:
                low[v] = min(low[v], index[w])
        if low[v] == index[v]:
            part = stack[stack.index(v):]
            del stack[stack.index(v):]
            if len(part) > 1:
                found.append(sorted(part))

    for v in sorted(nodes):
        if v not in index:
            visit(v)
    return found


def main():
    sys.setrecursionlimit(10000)
    paths = [p for p in sys.argv[1:] if p != "--list"]
    code = {p: code_of(p) for p in paths}
    units = {unit_of(p) for p in paths}
    why = {}

    def arrow(a, b, reason):
        if a != b:
            why.setdefault((a, b), set()).add(reason)

    owner = {}
    for p in paths:
        if p.endswith(".c"):
            for name in globals_of(without_strings(code[p])):
                owner[name] = p
    for p in paths:
        for m in re.finditer(r'^[ \t]*#[ \t]*include "([^"]+)"', code[p], re.M):
            for t in (m.group(1), os.path.join(os.path.dirname(p), m.group(1))):
                if t in code:
                    arrow(unit_of(p), unit_of(t), "includes")
                    break
        body = without_strings(code[p])
        if p.endswith(".h"):
            # Count what an inline function uses, not what a prototype names.
            body = re.sub(r"^(?!static)[A-Za-z_][^;{}]*\([^{}]*?\)[^;{}]*;", "",
                          body, flags=re.M)
        for name in set(re.findall(r"\b[A-Za-z_]\w+\b", body)):
            if name in owner and owner[name] != p:
                arrow(unit_of(p), unit_of(owner[name]), name)

    if "--list" in sys.argv:
        for (a, b), reasons in sorted(why.items()):
            print(f"{a} -> {b}: {' '.join(sorted(reasons))}")
    bad = 0
    arrows = {}
    for a, b in why:
        arrows.setdefault(a, set()).add(b)
    for folder in sorted({os.path.dirname(u) for u in units}):
        nodes = {u for u in units if os.path.dirname(u) == folder}
        for part in circles(nodes, arrows):
            print(f"a circle of {len(part)} in {folder or 'the top'}: {' '.join(part)}")
            bad = 1
    for (a, b), reasons in sorted(why.items()):
        if layer_of(a) is not None and layer_of(b) is not None and \
           layer_of(b) < layer_of(a):
            print(f"upwards: {a} -> {b}: {' '.join(sorted(reasons))}")
            bad = 1
    for p in paths:
        if not p.endswith(".h"):
            continue
        for name in sorted(declared_in(without_strings(code[p]))):
            # btree.h is the header of all btree-*.c.
            if name in owner and unit_of(owner[name]) != unit_of(p) and \
               not owner[name].startswith(unit_of(p) + "-"):
                print(f"{p}: {name} is defined in {owner[name]}")
                bad = 1
    return bad


sys.exit(main())
