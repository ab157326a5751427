/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * New data blocks for blocks that are written.
 */
#ifndef THINX_PROVISION_H
#define THINX_PROVISION_H

#include "data-path/group.h"

/**
 * thinx_provision_plan() - decide the fate of the write groups of a pass
 * @v: volume
 * @groups: struct thinx_group whose blocks have words
 *
 * Every block of a write group has a fate afterwards.  All of it happens in one
 * critical section of the metadata lock.
 *
 * Context: The volume's worker.
 */
void thinx_provision_plan(struct thinx_volume *v, struct list_head *groups);

/**
 * thinx_provision_may() - may new data blocks be taken, if there are any?
 * @caps: capabilities
 * @view: what the device may take: with a reserve it goes on when the pool is
 *	full for the others
 */
static inline bool thinx_provision_may(unsigned int caps,
				       const struct thinx_quota_view *view)
{
	return (caps & THINX_CAN_PROVISION) ||
	       ((caps & THINX_CAN_GROW) && view->reserve);
}

/** thinx_provision_start() - write an update's data; all its bios are known */
void thinx_provision_start(struct thinx_update *u);

/** thinx_provision_copied() - write the bios of updates whose copy is done */
void thinx_provision_copied(struct thinx_volume *v);

/** thinx_provision_prepared() - insert the mappings of finished updates */
void thinx_provision_prepared(struct thinx_volume *v);

#endif /* THINX_PROVISION_H */
