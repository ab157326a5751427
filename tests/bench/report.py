#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
"""Medians and ratios of one benchmark run: report.py RAW.jsonl OUT.json"""
import json
import statistics
import sys
from collections import defaultdict


def main():
    raw, out = sys.argv[1:]
    values, latencies = defaultdict(list), defaultdict(list)
    for line in open(raw):
        m = json.loads(line)
        values[m['case'], m['kind']].append(m['iops'])
        if 'max_lat_ms' in m:
            latencies[m['case'], m['kind']].append(m['max_lat_ms'])
    cases = list(dict.fromkeys(case for case, _ in values))
    report = {}
    print(f'{"case":24}{"linear":>10}{"dm-thin":>10}{"thinx":>10}'
          f'{"dm-thin":>9}{"thinx":>9}   spread of thinx, worst latency ms (dm-thin, thinx)')
    for case in cases:
        row = {kind: statistics.median(values[case, kind])
               for kind in ('linear', 'dm-thin', 'thinx')
               if values[case, kind]}
        base = row.get('linear')
        ratios = {k: v / base for k, v in row.items()} if base else {}
        report[case] = {'iops': row, 'ratio': ratios,
                        'runs': {k: values[case, k] for k in row},
                        'max_lat_ms': {k: latencies[case, k] for k in row}}
        runs = values[case, 'thinx']
        spread = ''
        if base and runs:
            spread = f'{min(runs) / base:.2f}..{max(runs) / base:.2f}'
        worst = ' '.join(f'{max(latencies[case, k]):.1f}'
                         for k in ('dm-thin', 'thinx') if latencies[case, k])
        print(f'{case:24}' +
              ''.join(f'{row[k]:10.1f}' if k in row else f'{"-":>10}'
                      for k in ('linear', 'dm-thin', 'thinx')) +
              ''.join(f'{ratios[k]:9.2f}' if k in ratios else f'{"-":>9}'
                      for k in ('dm-thin', 'thinx')) +
              f'   {spread:12} {worst}')
    json.dump(report, open(out, 'w'), indent=1)


if __name__ == '__main__':
    main()
