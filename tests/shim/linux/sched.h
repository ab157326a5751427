/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  The scheduler needs no help. */
#pragma once
#define cond_resched()		((void)0)
