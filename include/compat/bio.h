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
 * thinx_reserve_gfp() - flags with which bio_alloc_bioset() gets at the reserve
 * without waiting for what came from it
 * @nr: taken and not given back, this one included
 * @reserve: bios the set was made with
 *
 * From some kernel after 6.12 on it has none for who may not wait; but who may
 * does not have to for one that is not taken.
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
