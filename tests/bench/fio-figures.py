#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
"""Convert fio's results to lines of raw.jsonl:
fio-figures.py FIO-JSON CASE METRIC KIND ROUND"""
import json
import sys


def main():
    path, case, metric, kind, number = sys.argv[1:]
    text = open(path).read()
    job = json.loads(text[text.index('{'):])['jobs'][0]
    sides = [job['read'], job['write']]
    if job['error'] or not sum(s['total_ios'] for s in sides):
        sys.exit(f'fio made no requests, or errors: {job["error"]}')
    for name, value in ((metric, sum(s['iops'] for s in sides)),
                        (metric + '_max',
                         max(s['lat_ns']['max'] for s in sides) / 1e3)):
        print(json.dumps({'case': case, 'metric': name, 'kind': kind,
                          'round': int(number), 'value': value}))


if __name__ == '__main__':
    main()
