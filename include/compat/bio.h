/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Allocation of bios.
 */
#ifndef THINX_COMPAT_BIO_H
#define THINX_COMPAT_BIO_H

#include <linux/gfp.h>
#include <linux/version.h>

/**
 * thinx_reserve_gfp() - flags for an allocation from a bio_set that uses its reserve
 * and does not wait for another bio of the set to be freed
 * @nr: bios of the set in use, this one included
 * @reserve: how many it keeps in reserve
 *
 * In 6.1 and 6.12 an allocation that must not sleep takes one from the reserve.
 * Later kernels (7.3 for one; all after 6.12 are treated so) give the reserve only
 * to those that may sleep; these do not have to while fewer are in use than
 * are kept.
 *
 * Return: flags; with none that sleep the allocation may fail.
 */
static inline gfp_t thinx_reserve_gfp(unsigned int nr, unsigned int reserve)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 13, 0)
	if (nr <= reserve)
		return GFP_NOIO;
#endif
	return GFP_NOWAIT | __GFP_NOWARN;
}

#endif /* THINX_COMPAT_BIO_H */
