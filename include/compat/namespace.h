/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Symbols that one of our modules exports to the other, and to nobody else: a
 * namespace is a string since Linux 6.13, before it was a bare word.
 */
#ifndef THINX_COMPAT_NAMESPACE_H
#define THINX_COMPAT_NAMESPACE_H

#include <linux/export.h>
#include <linux/module.h>

#include "compat-probed.h"

#if THINX_HAVE_NAMESPACE_WORDS
#define EXPORT_SYMBOL_THINX(symbol) EXPORT_SYMBOL_NS_GPL(symbol, DM_THINX)
#else
#define EXPORT_SYMBOL_THINX(symbol) EXPORT_SYMBOL_NS_GPL(symbol, "DM_THINX")
#endif

/* What MODULE_IMPORT_NS() comes to in all kernels. */
#define THINX_IMPORT() MODULE_INFO(import_ns, "DM_THINX")

#endif /* THINX_COMPAT_NAMESPACE_H */
