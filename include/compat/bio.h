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
 * Does an allocation that must not sleep get nothing from the reserve of a bio_set?
 *
 * In 6.1 and 6.12 it does.  Later kernels (7.3 for one; all after 6.12 are treated so)
 * give the reserve only to those that may sleep; these do not have to while fewer
 * of them hold one than are kept.
 */
#define THINX_RESERVE_IS_ASKED_FOR \
	(LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0))

#endif /* THINX_COMPAT_BIO_H */
