/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Modules do not exist in user space. */
#pragma once
#include <linux/kernel.h>

#define EXPORT_SYMBOL_GPL(s)
#define MODULE_LICENSE(s)
#define MODULE_AUTHOR(s)
#define MODULE_DESCRIPTION(s)
#define __init
#define __exit
#define THIS_MODULE		NULL
