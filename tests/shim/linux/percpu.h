/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Per-CPU memory: a few CPUs, each thread stays on one. */
#pragma once
#include <linux/slab.h>

#define SHIM_NR_CPUS		5

unsigned int shim_cpu(void);

#define alloc_percpu(type)	((type *)kcalloc(SHIM_NR_CPUS, sizeof(type), GFP_KERNEL))
#define free_percpu(p)		kfree(p)
#define per_cpu_ptr(p, cpu)	((p) + (cpu))
#define raw_cpu_ptr(p)		per_cpu_ptr(p, shim_cpu())
#define for_each_possible_cpu(cpu) \
	for ((cpu) = 0; (cpu) < SHIM_NR_CPUS; (cpu)++)
