#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
"""The benchmark's figures and how they are shown.

report.py --list [requests]        list all cases, or those without big volumes
report.py RAW.jsonl OUT.json KERNEL
                                   print a table of medians, ratios and spread, and
                                   write all values as JSON; status 1 if a case failed
report.py --markdown JSON          print the same table for docs/speed.md
report.py --insert JSON FILE...    replace the tables of these documents, which are
                                   between comments that name them: all figures, or
                                   the few of README.md"""
import datetime
import json
import os
import platform
import statistics
import sys
from collections import defaultdict

KINDS = ('linear', 'dm-thin', 'thinx')
MORE, LESS = 'more', 'less'
# Factors for raw values, which are in s, us, requests per second and blocks.
SCALES = {'s': 1, 'ms': 1e-3, 'us': 1, '1/s': 1, 'blocks': 1}


def rate(case, title):
    return [(case, 'rate', title, '1/s', MORE)]


def beside(case, title, other):
    """A neighbour's latencies, and how long the other volume kept it busy."""
    return [(case, 'quiet_p50', 'read beside nothing, p50', 'us', LESS),
            (case, 'p50', f'read beside {title}, p50', 'us', LESS),
            (case, 'quiet_p999', 'read beside nothing, p99.9', 'ms', LESS),
            (case, 'p99', f'read beside {title}, p99', 'ms', LESS),
            (case, 'p999', f'read beside {title}, p99.9', 'ms', LESS),
            (case, 'max', f'read beside {title}, longest', 'ms', LESS),
            (case, 'other', other, 's', LESS)]


REQUESTS = [
    *rate('read4k', '4 KiB random reads, mapped'),
    *rate('write4k', '4 KiB random writes, mapped'),
    *rate('uring_read4k', 'the same reads by io_uring, two jobs'),
    *rate('uring_write4k', 'the same writes by io_uring, two jobs'),
    *rate('seqread1m', '1 MiB reads in sequence, mapped'),
    *rate('hole_read4k', '4 KiB random reads of holes'),
    *rate('provision_seq1m', '1 MiB writes in sequence to new blocks'),
    *rate('provision_rand4k', '4 KiB random writes to new blocks, not zeroed'),
    *rate('provision_rand4k_zero', '4 KiB random writes to new blocks, zeroed'),
    *rate('fsync4k', '4 KiB write and fsync, mapped'),
    *rate('snap_read4k', '4 KiB random reads after a snapshot'),
    *rate('snap_write4k', '4 KiB random writes after a snapshot (copies)'),
    *rate('discard_neighbour',
          '4 KiB random reads beside writes and discards'),
    ('discard_neighbour', 'rate_max', 'the longest of them', 'ms', LESS),
]

REST = [
    *rate('fsync_new4k', '4 KiB write and fsync, new blocks'),
    ('zero_gib', 'seconds', 'blkdiscard -z of a new GiB', 's', LESS),
    ('zero_gib', 'blocks', 'blocks it takes', 'blocks', LESS),
    ('discard_gib', 'seconds', 'discard of a mapped GiB', 's', LESS),
    ('activate_big', 'seconds',
     'activation of 4 M mappings and a first read', 's', LESS),
    *[('cold_read', m, f'4 KiB random reads of 4 M mappings, {m}', '1/s', MORE)
      for m in ('cold', 'warm')],
    ('cold_read_slow', 'cold', 'the same, cold, metadata reads take 1 ms',
     '1/s', MORE),
    *beside('neigh_fill', 'filling the pool', 'filling it'),
    *beside('neigh_snapshots', '1000 snapshots', 'taking them'),
    *beside('neigh_fsync', '5000 fsyncs of new blocks', 'all of these'),
    *beside('neigh_discard', 'a discard of 4 M mappings', 'this discard'),
    *beside('delete_big', 'a delete of 4 M mappings', 'this delete'),
    ('idle_2000', 'quiet_p99', 'write and fsync, new block, 2000 idle volumes,'
     ' p99', 'ms', LESS),
    ('idle_2000', 'p99', 'the same while another one is trimmed, p99', 'ms', LESS),
]

IN_README = [('read4k', 'rate'), ('provision_rand4k_zero', 'rate'),
             ('fsync4k', 'rate'), ('cold_read', 'cold'), ('delete_big', 'max')]

# Run only if named
ASKED_FOR = beside('delete', 'a delete of 4 M mappings in sequence', 'this delete')


class Figure:
    """One line: values of each kind, in the unit shown."""

    def __init__(self, case, metric, title, unit, better):
        self.case, self.metric, self.title = case, metric, title
        self.unit, self.better = unit, better

    def take(self, values):
        scale = SCALES[self.unit]
        self.values = {k: [v * scale for v in values[self.case][self.metric][k]]
                       for k in KINDS if values.get(self.case, {})
                       .get(self.metric, {}).get(k)}
        self.medians = {k: statistics.median(v) for k, v in self.values.items()}
        return self

    def base(self):
        """The kind that the others are compared with."""
        for kind in ('linear', 'dm-thin'):
            if self.medians.get(kind):
                return kind
        return None

    def ratio(self, kind):
        base = self.base()
        if kind not in self.medians or not base or kind == base:
            return '-'
        return number(self.medians[kind] / self.medians[base])

    def median(self, kind):
        return number(self.medians[kind]) if kind in self.medians else '-'

    def spread(self, kind):
        v = self.values.get(kind)
        return f'{number(min(v))}..{number(max(v))}' if v else '-'

    def row(self):
        return [self.title, self.unit, self.better,
                *(self.median(k) for k in KINDS), self.base() or '-',
                *(self.ratio(k) for k in KINDS[1:]),
                *(self.spread(k) for k in KINDS)]


HEAD = ['', 'unit', 'better', 'linear', 'dm-thin', 'thinx', 'base',
        'dm-thin/base', 'thinx/base',
        'linear, min..max', 'dm-thin, min..max', 'thinx, min..max']


def number(value):
    """At most three significant digits."""
    if value == 0:
        return '0'
    if abs(value) >= 100:
        return f'{value:.0f}'
    digits = 2 if abs(value) >= 0.1 else 3
    return f'{value:.{1 if abs(value) >= 10 else digits}f}'


def read_raw(path):
    values = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    failed = []
    for line in open(path):
        m = json.loads(line)
        if 'failed' in m:
            failed.append(m)
        else:
            values[m['case']][m['metric']][m['kind']].append(m['value'])
    return values, failed


def processor():
    for line in open('/proc/cpuinfo'):
        if line.startswith('model name'):
            return ' '.join(line.split(':', 1)[1].split())
    return platform.processor()


def figures(report):
    measured = [Figure(*f).take(report['values'])
                for f in REQUESTS + REST + ASKED_FOR]
    return [f for f in measured if f.medians]


def text_table(report):
    rows = [HEAD] + [f.row() for f in figures(report)]
    widths = [max(len(r[i]) for r in rows) for i in range(len(HEAD))]
    for row in rows:
        print('  '.join(cell.ljust(w) if i == 0 else cell.rjust(w)
                        for i, (cell, w) in enumerate(zip(row, widths))).rstrip())


def markdown_row(cells):
    return '| ' + ' | '.join(cells) + ' |'


def markdown_table(head, words, rows):
    """A table whose first columns, WORDS of them, are text."""
    return '\n'.join([markdown_row(head),
                      '|---' * words + '|--:' * (len(head) - words) + '|',
                      *map(markdown_row, rows)])


def how(report):
    return (f'Kernel: {report["kernel"]}; {report["processors"]} processors'
            f' ({report["processor"]}); {report["date"]}; rounds:'
            f' {report["rounds"]}.\n\n')


def all_figures(report):
    skip = HEAD.index('linear, min..max')
    cut = [r[:skip] + r[skip + 1:] for r in
           [HEAD, *(f.row() for f in figures(report))]]
    failures = ''.join(f'\n\n{line}' for line in failure_lines(report))
    return how(report) + markdown_table(cut[0], 3, cut[1:]) + failures


def few_figures(report):
    rows = [[f'{f.title} ({f.unit})', *(f.median(k) for k in KINDS)]
            for f in figures(report) if (f.case, f.metric) in IN_README]
    return how(report) + markdown_table(['', *KINDS], 1, rows)


def insert(report, path):
    """Replace the tables between the comments."""
    text = open(path).read()
    new = text
    for name, make in (('all', all_figures), ('few', few_figures)):
        begin, end = f'<!-- figures: {name} -->\n', '<!-- end of figures -->'
        if begin in new:
            head, rest = new.split(begin, 1)
            new = head + begin + make(report) + '\n' + end + rest.split(end, 1)[1]
    if '<!-- figures: ' not in new:
        sys.exit(f'report.py: {path} has no comment "<!-- figures: all -->" or few')
    with open(path, 'w') as f:
        f.write(new)


def failure_lines(report):
    return [f'FAILED: {f["case"]}, {f["kind"]}, round {f["round"]}: {f["failed"]}'
            for f in report['failed']]


def convert(raw, out, kernel):
    values, failed = read_raw(raw)
    rounds = max((len(v) for c in values.values() for m in c.values()
                  for v in m.values()), default=0)
    report = {'kernel': kernel, 'processor': processor(),
              'processors': os.cpu_count(), 'rounds': rounds,
              'date': datetime.date.today().isoformat(),
              'values': values, 'failed': failed}
    with open(out, 'w') as f:
        json.dump(report, f, indent=1)
    report = json.load(open(out))
    text_table(report)
    print('\n'.join(failure_lines(report)))
    return 1 if failed else 0


def names(of):
    return list(dict.fromkeys(f[0] for f in of))


def main():
    args = sys.argv[1:]
    if args == ['--list']:
        print('\n'.join(names(REQUESTS + REST)))
    elif args == ['--list', 'requests']:
        print('\n'.join(names(REQUESTS)))
    elif len(args) == 2 and args[0] == '--markdown':
        print(all_figures(json.load(open(args[1]))))
    elif len(args) >= 3 and args[0] == '--insert':
        for path in args[2:]:
            insert(json.load(open(args[1])), path)
    elif len(args) == 3:
        return convert(*args)
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
