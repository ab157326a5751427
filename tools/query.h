/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Asking page by page, until all of it is of one instant.
 *
 *   query_all() ─► ask(): one page ─► parse_page() ─► the next page, or
 *        ▲                                            another stamp: anew
 *        └────────────────────────────────────────────────┘
 */
#ifndef TOOLS_QUERY_H
#define TOOLS_QUERY_H

#include "text.h"

/* How often a reading begins anew because a device has moved. */
#define QUERY_TRIES	8

/**
 * typedef ask_fn - send a message
 * @context: whatever the caller has given
 * @message: the text
 * @reply: a copy of the answer, to be freed
 *
 * Return: 0 or -errno.
 */
typedef int (*ask_fn)(void *context, const char *message, char **reply);

/**
 * typedef progress_fn - told after each page
 * @context: whatever the caller has given
 * @next: the first block not yet seen
 */
typedef void (*progress_fn)(void *context, uint64_t next);

/**
 * struct query - a question
 * @name: "map", "delta" or "usage"
 * @id: one device, or two
 * @max: of each page
 * @ask: sends it
 * @progress: may be NULL
 * @context: for both
 */
struct query {
	const char *name;
	uint32_t id[2];
	unsigned int max;
	ask_fn ask;
	progress_fn progress;
	void *context;
};

/**
 * query_all() - read all pages
 * @q: the question
 * @sum: the stamp of all of them; @own is added up
 * @runs: empty; the caller clears it in any case
 *
 * Return: 0; -EAGAIN: a device has changed during each of QUERY_TRIES readings;
 * -EPROTO: an answer that is none; -ENOMEM; or what @ask returned.
 */
int query_all(const struct query *q, struct page *sum, struct runs *runs);

/**
 * query_devices() - which devices a pool has
 * @ask: sends the question
 * @context: for it
 * @infos: empty; the caller clears it in any case
 *
 * They may come and go meanwhile.
 * Return: 0; -EPROTO: an answer that is none; -ENOMEM; or what @ask returned.
 */
int query_devices(ask_fn ask, void *context, struct infos *infos);

/** query_quotas() - likewise, reserves and limits of what query_devices() has found */
int query_quotas(ask_fn ask, void *context, struct infos *infos);

#endif /* TOOLS_QUERY_H */
