/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  The log macros of device mapper. */
#pragma once
#include <linux/kernel.h>

#define DM_NAME			"device-mapper"
#define DM_FMT(fmt)		DM_NAME ": " DM_MSG_PREFIX ": " fmt "\n"
#define DMERR(fmt, ...)		pr_err(DM_FMT(fmt), ##__VA_ARGS__)
#define DMERR_LIMIT(fmt, ...)	pr_err(DM_FMT(fmt), ##__VA_ARGS__)
#define DMWARN(fmt, ...)	pr_warn(DM_FMT(fmt), ##__VA_ARGS__)
#define DMWARN_LIMIT(fmt, ...)	pr_warn(DM_FMT(fmt), ##__VA_ARGS__)
#define DMINFO(fmt, ...)	pr_info(DM_FMT(fmt), ##__VA_ARGS__)
#define DMDEBUG(fmt, ...)	pr_info(DM_FMT(fmt), ##__VA_ARGS__)
