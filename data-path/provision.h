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
 * thinx_provision_plan() - decide about the write groups of a pass, in one hold of the
 * metadata lock
 * @v: volume
 * @groups: struct thinx_group whose blocks have words
 *
 * Every block of a write group has a fate afterwards.
 *
 * Context: The volume's worker.
 */
void thinx_provision_plan(struct thinx_volume *v, struct list_head *groups);

/** thinx_provision_start() - write an update's data; all its bios are known */
void thinx_provision_start(struct thinx_update *u);

/** thinx_provision_copied() - write the bios of updates that are copied */
void thinx_provision_copied(struct thinx_volume *v);

/** thinx_provision_prepared() - insert the mappings of finished updates */
void thinx_provision_prepared(struct thinx_volume *v);

#endif /* THINX_PROVISION_H */
