/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What dm-thinx-pool.ko does for the drop-in, dm-thin-pool.ko.
 */
#ifndef DM_THINX_H
#define DM_THINX_H

#include <linux/compiler.h>

struct module;

/**
 * thinx_stock_names_register() - give the two targets dm-thin's names as well
 * @owner: the module that tables with these names keep loaded
 *
 * Does nothing if the parameter drop_in has done it already.
 *
 * Context: Init of that module, may sleep.
 * Return: 0, -ENOMEM, -EBUSY if one of the names is taken.
 */
int __must_check thinx_stock_names_register(struct module *owner);

/**
 * thinx_stock_names_unregister() - take them back
 *
 * Context: Exit of that module: no table uses them.
 */
void thinx_stock_names_unregister(void);

#endif /* DM_THINX_H */
