// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The bodies of the tracepoints.
 */
#include <linux/types.h>

#define CREATE_TRACE_POINTS
#include "include/trace/events/thinx.h"
