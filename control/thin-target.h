/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The "thinx" target.
 */
#ifndef THINX_THIN_TARGET_H
#define THINX_THIN_TARGET_H

#include <linux/types.h>

/**
 * thinx_thin_target_register() - register "thinx" with dm
 * @drop_in: also register it as "thin"
 *
 * Context: Module init, may sleep.
 * Return: 0, -ENOMEM, -EEXIST or (newer kernels) -EBUSY if one of the names is
 * taken.
 */
int __must_check thinx_thin_target_register(bool drop_in);

/**
 * thinx_thin_target_unregister() - module exit
 * @drop_in: as when it was registered
 */
void thinx_thin_target_unregister(bool drop_in);

#endif /* THINX_THIN_TARGET_H */
