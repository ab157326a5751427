/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The "thinx" target.
 */
#ifndef THINX_THIN_TARGET_H
#define THINX_THIN_TARGET_H

#include <linux/compiler.h>

struct module;

/**
 * thinx_thin_target_register() - register "thinx" with dm
 *
 * Context: Module init, may sleep.
 * Return: 0, -ENOMEM, -EEXIST or (newer kernels) -EBUSY if the name is taken.
 */
int __must_check thinx_thin_target_register(void);

/** thinx_thin_target_unregister() - module exit */
void thinx_thin_target_unregister(void);

/**
 * thinx_thin_target_register_stock() - register it as "thin" as well
 * @owner: the module that tables with this name keep loaded
 *
 * Context: Module init, may sleep.
 * Return: 0, -ENOMEM, -EEXIST or (newer kernels) -EBUSY if the name is taken.
 */
int __must_check thinx_thin_target_register_stock(struct module *owner);

/** thinx_thin_target_unregister_stock() - module exit */
void thinx_thin_target_unregister_stock(void);

#endif /* THINX_THIN_TARGET_H */
