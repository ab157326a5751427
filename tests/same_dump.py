#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# Do two dumps by thin_dump say the same?  Versions differ in how they say it: from
# 1.0 on, what several devices share is written once and referred to, and flags of
# zero are left out.
#
#   tests/same_dump.py A B        exit status 0 if so; else the first difference
#   tests/same_dump.py -d A B     the devices alone, not the superblock

import re
import sys


def mappings_of(lines, shared):
    """Mappings as [virtual block, data block, length, time], neighbours joined."""
    out = []
    for name, attributes in lines:
        if name == "ref":
            found = shared[attributes["name"]]
        elif name == "single_mapping":
            found = [[int(attributes["origin_block"]), int(attributes["data_block"]), 1,
                      int(attributes["time"])]]
        else:
            found = [[int(attributes["origin_begin"]), int(attributes["data_begin"]),
                      int(attributes["length"]), int(attributes["time"])]]
        for v, d, n, t in found:
            last = out[-1] if out else None
            if last and last[0] + last[2] == v and last[1] + last[2] == d and last[3] == t:
                last[2] += n
            else:
                out.append([v, d, n, t])
    return out


def read(path):
    """(superblock's attributes, [(a device's attributes, its mappings)])"""
    superblock, devices, shared = {}, [], {}
    inside = None
    for end, name, rest in re.findall(r"<(/?)([a-z_]+)((?:\s[^<>]*)?)>", open(path).read()):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        if name == "superblock" and not end:
            superblock = attributes
            if superblock.get("flags") == "0":
                del superblock["flags"]
        elif name in ("device", "def"):
            if end:
                found = mappings_of(lines, shared)
                if name == "def":
                    shared[inside["name"]] = found
                else:
                    devices.append((inside, found))
                inside = None
            else:
                inside, lines = attributes, []
                if rest.rstrip().endswith("/"):
                    devices.append((inside, []))
                    inside = None
        elif inside is not None:
            lines.append((name, attributes))
    return superblock, devices


def main():
    alone = sys.argv[1] == "-d"
    a, b = (read(path) for path in sys.argv[1 + alone:])
    if not alone and a[0] != b[0]:
        print(f"superblock: {a[0]}\n        and {b[0]}")
        return 1
    for x, y in zip(a[1], b[1]):
        if x[0] != y[0]:
            print(f"device {x[0]}\n   and {y[0]}")
            return 1
        for m, n in zip(x[1] + [None], y[1] + [None]):
            if m != n:
                print(f"device {x[0]}: mapping {m} and {n}")
                return 1
    if len(a[1]) != len(b[1]):
        print(f"{len(a[1])} devices and {len(b[1])}")
        return 1
    if not a[0] or not b[0]:
        print("no superblock")
        return 1
    return 0


sys.exit(main())
