/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  See bitops.h. */
#pragma once
#include <linux/bitops.h>
