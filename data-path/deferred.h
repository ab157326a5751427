/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The slow path of a volume.
 */
#ifndef THINX_DEFERRED_H
#define THINX_DEFERRED_H

#include <linux/workqueue.h>

/** thinx_deferred_work() - the worker of a volume, thinx_volume.work */
void thinx_deferred_work(struct work_struct *work);

#endif /* THINX_DEFERRED_H */
