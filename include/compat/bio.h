/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Allocation of bios.
 */
#ifndef THINX_COMPAT_BIO_H
#define THINX_COMPAT_BIO_H

#include <linux/version.h>

/*
 * Does an allocation that must not sleep get nothing from the reserve of a
 * bio_set?  Since 7.1 ("block: split bio_alloc_bioset more clearly into a fast
 * and slowpath") the reserve is only for allocations that may sleep; these need
 * not sleep while fewer of them hold a bio than the reserve has.  Before, they
 * could sleep, since others take from the reserve and are not counted.
 *
 * No interface changed with that, so there is nothing to probe and the version must
 * tell.  A kernel with a backport of it is safe: what finds no memory is deferred and
 * tried again, later than it could be.
 */
#define THINX_RESERVE_IS_ASKED_FOR \
	(LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0))

#endif /* THINX_COMPAT_BIO_H */
