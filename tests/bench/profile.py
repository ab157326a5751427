#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
"""The functions with the most samples: profile.py RESULTS PID

RESULTS has the files that profile.sh left: samples (from perf script), the machine's
kallsyms, and marks, the begin and end times of measurements.  PID is the machine's
kernel; its children are the programs in the machine."""
import bisect
import re
import sys
from collections import Counter

TOP = 30
# And of the measured modules, however few samples they have
OF_MODULE = 10
MODULES = ('dm_thinx_pool', 'dm_thin_pool', 'dm_persistent_data')
# An address farther from the start of any function is in none of them.
FARTHEST = 1 << 17

SAMPLE = re.compile(r'\s*(\d+)(?:/\d+)?\s+([\d.]+):\s+([0-9a-f]+)\s+(.*)\s\((.*)\)$')


class Symbols:
    """The functions of the machine's kernel and its modules."""

    def __init__(self, path):
        found = []
        for line in open(path):
            words = line.split()
            if words[1] in 'tTwW':
                module = words[3].strip('[]') if len(words) > 3 else 'kernel'
                found.append((int(words[0], 16), words[2], module))
        found.sort()
        self.addresses = [a for a, _, _ in found]
        self.functions = [(f, m) for _, f, m in found]

    def at(self, address):
        i = bisect.bisect_right(self.addresses, address) - 1
        if i < 0 or address - self.addresses[i] > FARTHEST:
            return None
        return self.functions[i]


def intervals(path):
    times = [line.split() for line in open(path)]
    begins = [float(t) for what, t in times if what == 'begin']
    ends = [float(t) for what, t in times if what == 'end']
    return list(zip(begins, ends))


def function_of(symbols, address, name, dso):
    if dso.startswith('[kernel'):
        return (re.sub(r'\+0x.*', '', name), 'this machine')
    return symbols.at(address) or (re.sub(r'\+0x.*', '', name), dso.split('/')[-1])


def count(results, pid):
    symbols = Symbols(f'{results}/kallsyms')
    measured = intervals(f'{results}/marks')
    counts, programs, outside = Counter(), 0, 0
    for line in open(f'{results}/samples'):
        m = SAMPLE.match(line)
        if not m:
            continue
        if not any(b <= float(m[2]) <= e for b, e in measured):
            outside += 1
        elif int(m[1]) != pid:
            programs += 1
        else:
            counts[function_of(symbols, int(m[3], 16), m[4], m[5])] += 1
    return counts, programs, outside


def show(ranking, total):
    print(f'{"%":>6}  {"function":44}  module')
    for (function, module), n in ranking:
        print(f'{100 * n / total:6.2f}  {function:44}  {module}')


def main():
    results, pid = sys.argv[1], int(sys.argv[2])
    counts, programs, outside = count(results, pid)
    total = sum(counts.values())
    if not total:
        sys.exit(f'profile.py: no samples while measuring, {outside} outside')
    print(f'{total} samples in the kernel, {programs} in programs,'
          f' {outside} while nothing was measured')
    by_module = Counter()
    for (_, module), n in counts.items():
        by_module[module] += n
    print(', '.join(f'{m} {100 * n / total:.1f} %'
                    for m, n in by_module.most_common(8)))
    show(counts.most_common(TOP), total)
    own = Counter({f: n for f, n in counts.items() if f[1] in MODULES})
    if own:
        print('\nthe modules measured:')
        show(own.most_common(OF_MODULE), total)


if __name__ == '__main__':
    main()
