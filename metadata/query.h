/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Questions about devices and their mappings, answered in steps.
 *
 * Context of all functions: metadata lock held for reading.  They read nothing from
 * the device.
 * Return: 0, -EAGAIN, -ENODATA no such device, -EBUSY it is being deleted, metadata
 * errors; q->from has moved as far as the result goes, whatever is returned.
 */
#ifndef THINX_QUERY_H
#define THINX_QUERY_H

#include "metadata/metadata.h"

/** thinx_query_map() - a step of thinx_md_query_map() */
int __must_check thinx_query_map(struct thinx_md *md, struct thinx_md_query *q);

/** thinx_query_delta() - a step of thinx_md_query_delta() */
int __must_check thinx_query_delta(struct thinx_md *md,
				   struct thinx_md_query *q);

/** thinx_query_usage() - a step of thinx_md_query_usage() */
int __must_check thinx_query_usage(struct thinx_md *md,
				   struct thinx_md_query *q);

/** thinx_query_devices() - a step of thinx_md_query_devices() */
int __must_check thinx_query_devices(struct thinx_md *md,
				     struct thinx_md_query *q);

#endif /* THINX_QUERY_H */
