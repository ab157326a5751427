#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
"""Metadata for thin_restore: a small volume 0, and a big volume 1 whose blocks are on
the data device in runs of RUN neighbours, with the runs in random order:
big-xml.py SMALL-BLOCKS BIG-BLOCKS RUN"""
import random
import sys


def device(number, blocks, runs):
    print(f'<device dev_id="{number}" mapped_blocks="{blocks}" transaction="0"'
          ' creation_time="0" snap_time="0">')
    for origin, data, length in runs:
        print(f'<range_mapping origin_begin="{origin}" data_begin="{data}"'
              f' length="{length}" time="0"/>')
    print('</device>')


def main():
    small, big, run = map(int, sys.argv[1:])
    starts = list(range(0, big, run))
    places = starts[:]
    random.Random(1).shuffle(places)
    print('<superblock uuid="" time="0" transaction="0" flags="0" version="2"'
          f' data_block_size="128" nr_data_blocks="{small + big}">')
    device(0, small, [(0, 0, small)])
    device(1, big, ((o, small + p, run) for o, p in zip(starts, places)))
    print('</superblock>')


if __name__ == '__main__':
    main()
