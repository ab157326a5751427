/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What a kernel has said: a pool of 128 MiB with blocks of 64 KiB; a volume, 1, with
 * its snapshot, 3, written, discarded and written since.
 */
#ifndef TESTS_TOOLS_RECORDED_H
#define TESTS_TOOLS_RECORDED_H

static const char recorded_pool_table[] =
	"7:0 7:1 128 0 0 ";

static const char recorded_thin_table[] =
	"254:0 1";

static const char recorded_pool_status[] =
	"0 421/4096 15/2048 - rw discard_passdown queue_if_no_space - 1024 ";

static const char recorded_thin_status[] =
	"1536 131327";

static const char recorded_map[] =
	"thinx-map 1 1 d463f1036ec7f2f2.a\n"
	"0 2 0 shared\n"
	"2 1 12 own\n"
	"3 7 3 shared\n"
	"1024 2 10 shared\n"
	"end\n";

static const char recorded_map_page[] =
	"thinx-map 1 1 d463f1036ec7f2f2.a\n"
	"0 2 0 shared\n"
	"next 2\n";

static const char recorded_map_empty[] =
	"thinx-map 1 2 d463f1036ec7f2f2.2\n"
	"end\n";

static const char recorded_delta[] =
	"thinx-delta 1 3 d463f1036ec7f2f2.7 1 d463f1036ec7f2f2.d\n"
	"same 0 2\n"
	"different 2 1\n"
	"same 3 1021\n"
	"left_only 1024 1\n"
	"same 1025 1023\n"
	"right_only 2048 2\n"
	"end\n";

static const char recorded_usage[] =
	"thinx-usage 1 1 d463f1036ec7f2f2.d\n"
	"mapped 13\n"
	"own 3\n"
	"end\n";

#endif /* TESTS_TOOLS_RECORDED_H */
