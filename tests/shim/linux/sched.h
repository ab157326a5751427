/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  The scheduler needs no help, but a test may hook in here. */
#pragma once
extern void (*shim_on_resched)(void);
#define cond_resched() \
	do { if (shim_on_resched) shim_on_resched(); } while (0)
