/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Little-endian conversions in the kernel's spelling. */
#pragma once
#include_next <asm/byteorder.h>
#include <linux/types.h>

#define cpu_to_le16	__cpu_to_le16
#define cpu_to_le32	__cpu_to_le32
#define cpu_to_le64	__cpu_to_le64
#define le16_to_cpu	__le16_to_cpu
#define le32_to_cpu	__le32_to_cpu
#define le64_to_cpu	__le64_to_cpu
#define le32_to_cpup(p)	le32_to_cpu(*(p))
#define le64_to_cpup(p)	le64_to_cpu(*(p))

static inline void le32_add_cpu(__le32 *p, u32 v)
{
	*p = cpu_to_le32(le32_to_cpu(*p) + v);
}

static inline void le64_add_cpu(__le64 *p, u64 v)
{
	*p = cpu_to_le64(le64_to_cpu(*p) + v);
}
