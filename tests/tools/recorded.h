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

static const char recorded_devices[] =
	"thinx-devices 1\n"
	"1 12 0 0 2 used\n"
	"2 0 0 0 0 idle\n"
	"16777215 12 5 2 2 idle\n"
	"end\n";

static const char recorded_stats[] =
	"thinx-stats 1\n"
	"deferred 7\n"
	"gate_closed 0\n"
	"miss 3\n"
	"hole_write 3\n"
	"shared_write 1\n"
	"other 0\n"
	"discard 1\n"
	"flush_commit 3\n"
	"fua_commit 0\n"
	"range_held 0\n"
	"starved 0\n"
	"memory 0\n"
	"blocks_provisioned 14\n"
	"blocks_unshared 1\n"
	"blocks_restamped 0\n"
	"blocks_discarded 1\n"
	"sectors_zeroed 0\n"
	"sectors_copied 0\n"
	"commits 8\n"
	"commits_for_waiters 3\n"
	"commits_for_space 0\n"
	"commits_for_discards 0\n"
	"commits_by_time 1\n"
	"commits_for_others 4\n"
	"commit_blocks 45\n"
	"queued_ns longest 75776 8192:2 32768:4 65536:1\n"
	"learning_ns longest 93184 0:4 32768:1 65536:2\n"
	"planning_ns longest 63488 2048:3 8192:2 16384:1 32768:1\n"
	"data_ns longest 1932032 65536:1 131072:3 262144:2 1048576:1\n"
	"inserting_ns longest 73984 4096:2 8192:2 16384:1 32768:1 65536:1\n"
	"discarding_ns longest 30115640320 17179869184:1\n"
	"locked_ns longest 108032 2048:3 4096:4 8192:11 16384:4 32768:5 65536:4\n"
	"commit_ns longest 15707136 262144:3 524288:3 8388608:2\n"
	"commit_close_ns longest 108032 16384:3 32768:2 65536:3\n"
	"commit_flush_ns longest 15510784 65536:2 131072:2 262144:2 2097152:1 8388608:1\n"
	"commit_write_ns longest 15662080 262144:6 8388608:2\n"
	"commit_complete_ns longest 16896 4096:1 8192:6 16384:1\n"
	"map_cache_chunks 27\n"
	"map_cache_filled 27\n"
	"map_cache_evicted 0\n"
	"end\n";

static const char recorded_volume_stats[] =
	"thinx-stats 1 1\n"
	"deferred 7\n"
	"gate_closed 0\n"
	"miss 3\n"
	"hole_write 3\n"
	"shared_write 1\n"
	"other 0\n"
	"discard 1\n"
	"flush_commit 3\n"
	"fua_commit 0\n"
	"range_held 0\n"
	"starved 0\n"
	"memory 0\n"
	"blocks_provisioned 14\n"
	"blocks_unshared 1\n"
	"blocks_restamped 0\n"
	"blocks_discarded 1\n"
	"sectors_zeroed 0\n"
	"sectors_copied 0\n"
	"queued_ns longest 75776 8192:2 32768:4 65536:1\n"
	"learning_ns longest 93184 0:4 32768:1 65536:2\n"
	"planning_ns longest 63488 2048:3 8192:2 16384:1 32768:1\n"
	"data_ns longest 1932032 65536:1 131072:3 262144:2 1048576:1\n"
	"inserting_ns longest 73984 4096:2 8192:2 16384:1 32768:1 65536:1\n"
	"discarding_ns longest 30115640320 17179869184:1\n"
	"locked_ns longest 67584 2048:3 4096:3 8192:5 32768:3 65536:1\n"
	"end\n";

#endif /* TESTS_TOOLS_RECORDED_H */
