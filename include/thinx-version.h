/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The version, of both modules.  tests/packaging/test_version.sh compares what
 * else gives it.
 */
#ifndef THINX_VERSION_H
#define THINX_VERSION_H

#define THINX_VERSION "0.3.0"

#endif /* THINX_VERSION_H */
