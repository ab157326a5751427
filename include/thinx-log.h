/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The prefix of all messages.  Each object that has a device also has macros,
 * next to its struct, that put the device's name first: bm_err(), sm_err(),
 * md_err(), plane_err_limit(), pool_err() and the like.  Names are not typed by
 * hand.
 */
#ifndef THINX_LOG_H
#define THINX_LOG_H

#define DM_MSG_PREFIX "thinx"

#include <linux/device-mapper.h>

#endif /* THINX_LOG_H */
