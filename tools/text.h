/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Reading what the kernel says: tables, status lines and the answers to queries, as
 * docs/interface.md describes them.  Text in, numbers out; no device is touched.
 */
#ifndef TOOLS_TEXT_H
#define TOOLS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- tables and status lines ---- */

/**
 * struct pool_table - a pool's table
 * @block_sectors: size of a block
 */
struct pool_table {
	unsigned int meta_major, meta_minor;
	unsigned int data_major, data_minor;
	uint64_t block_sectors;
};

/**
 * struct thin_table - a volume's table
 * @id: of the thin device
 * @origin: external origin, MAJOR:MINOR, or empty
 */
struct thin_table {
	unsigned int pool_major, pool_minor;
	uint32_t id;
	char origin[24];
};

/**
 * struct pool_status - a pool's status line
 * @failed: the pool is in fail mode, and nothing else is known
 */
struct pool_status {
	bool failed;
	uint64_t transaction;
	uint64_t meta_used, meta_total;
	uint64_t data_used, data_total;
	char mode[24];
	char discard[24];
	char no_space[24];
	bool needs_check;
};

/**
 * struct thin_status - a volume's status line
 * @known: false: the line says "Fail" or "Error"
 * @mapped: sectors
 * @end: sector behind the highest mapped block
 */
struct thin_status {
	bool known;
	uint64_t mapped;
	uint64_t end;
};

/** parse_pool_table() - Return: false if the text is not such a table. */
bool parse_pool_table(const char *text, struct pool_table *t);

/** parse_thin_table() - likewise */
bool parse_thin_table(const char *text, struct thin_table *t);

/** parse_pool_status() - likewise, of a status line */
bool parse_pool_status(const char *text, struct pool_status *s);

/** parse_thin_status() - likewise */
bool parse_thin_status(const char *text, struct thin_status *s);

/* ---- answers ---- */

enum run_kind {
	RUN_OWN,
	RUN_SHARED,
	RUN_SAME,
	RUN_DIFFERENT,
	RUN_LEFT_ONLY,
	RUN_RIGHT_ONLY,
	NR_RUN_KINDS
};

/**
 * struct run - a line of the answer to "map" or "delta"
 * @data_begin: of "map", else 0
 */
struct run {
	uint64_t begin;
	uint64_t length;
	uint64_t data_begin;
	enum run_kind kind;
};

/**
 * struct runs - many of them, in order
 */
struct runs {
	struct run *run;
	size_t nr;
	size_t room;
};

/** run_kind_name() - the word that stands for it */
const char *run_kind_name(enum run_kind kind);

/** runs_add() - append one; a run that continues the last one makes it longer */
bool runs_add(struct runs *runs, const struct run *run);

/** runs_clear() - forget all of them and free the memory */
void runs_clear(struct runs *runs);

#define STAMP_SIZE	64

/**
 * struct page - one answer to a query, without its lines
 * @nr_devices: 1 or 2
 * @id: their IDs
 * @stamp: and stamps
 * @done: the last line is "end"
 * @next: else where the next page begins
 * @mapped: of "usage"
 * @own: of "usage", in this page
 */
struct page {
	unsigned int nr_devices;
	uint32_t id[2];
	char stamp[2][STAMP_SIZE];
	bool done;
	uint64_t next;
	uint64_t mapped;
	uint64_t own;
};

/**
 * parse_page() - read an answer to "map", "delta" or "usage"
 * @text: the answer
 * @name: of the query
 * @page: filled
 * @runs: the lines of a map or delta are appended
 *
 * Words at the end of a line that are not known are ignored, as the interface demands.
 * Return: false if it is no whole answer to that query.
 */
bool parse_page(const char *text, const char *name, struct page *page, struct runs *runs);

/* ---- the list of devices ---- */

#define MAX_DEVICE_ID	0xffffff

/**
 * struct info - a line of the answer to "devices"
 * @mapped: blocks
 * @transaction: of user space, when it was made
 * @created: the pool's counter of snapshots then
 * @snapped: and at the last snapshot of it
 * @state: idle, used or deleting
 * @reserve: blocks, from "quotas"
 * @left: of the reserve
 * @limit: blocks
 * @has_limit: is there one?
 * @shown: for the caller
 */
struct info {
	uint32_t id;
	uint64_t mapped;
	uint64_t transaction;
	uint64_t created;
	uint64_t snapped;
	char state[16];
	uint64_t reserve;
	uint64_t left;
	uint64_t limit;
	bool has_limit;
	bool shown;
};

/**
 * struct infos - many of them, in order of ID
 */
struct infos {
	struct info *info;
	size_t nr;
	size_t room;
};

/** infos_clear() - forget all of them and free the memory */
void infos_clear(struct infos *infos);

/** infos_find() - Return: NULL if there is no such device. */
struct info *infos_find(const struct infos *infos, uint32_t id);

/**
 * infos_free_ids() - IDs that no device has, the highest first
 * @infos: all devices there are
 * @ids: for @nr of them
 *
 * Programs that count upwards, such as LVM, do not meet these.
 * Return: false if there are not that many.
 */
bool infos_free_ids(const struct infos *infos, uint32_t *ids, size_t nr);

/**
 * parse_devices() - read an answer to "devices"
 * @text: the answer
 * @done: the last line is "end"
 * @next: else where the next page begins
 * @infos: lines are appended
 *
 * Return: false if it is no whole answer to that query.
 */
bool parse_devices(const char *text, bool *done, uint64_t *next, struct infos *infos);

/**
 * parse_quotas() - read an answer to "quotas"
 * @text: the answer
 * @done: the last line is "end"
 * @next: else where the next page begins
 * @infos: from parse_devices(); filled in; devices that are not there are left out
 *
 * Return: false if it is no whole answer to that query.
 */
bool parse_quotas(const char *text, bool *done, uint64_t *next, struct infos *infos);

#endif /* TOOLS_TEXT_H */
