/* SPDX-License-Identifier: GPL-2.0-only */
/* Copyright (C) 2026 The thinx authors.  Typed minima and maxima. */
#pragma once
#define min(a, b) __extension__ ({ __auto_type _mn_a = (a); \
	__auto_type _mn_b = (b); _mn_a < _mn_b ? _mn_a : _mn_b; })
#define max(a, b) __extension__ ({ __auto_type _mx_a = (a); \
	__auto_type _mx_b = (b); _mx_a > _mx_b ? _mx_a : _mx_b; })
#define min_t(t, a, b) __extension__ ({ t _mt_a = (a); t _mt_b = (b); \
	_mt_a < _mt_b ? _mt_a : _mt_b; })
#define max_t(t, a, b) __extension__ ({ t _xt_a = (a); t _xt_b = (b); \
	_xt_a > _xt_b ? _xt_a : _xt_b; })
#define min3(a, b, c)		min(min(a, b), c)
#define max3(a, b, c)		max(max(a, b), c)
#define clamp(v, lo, hi)	min(max(v, lo), hi)
#define clamp_t(t, v, lo, hi)	min_t(t, max_t(t, v, lo), hi)
#define swap(a, b) \
	do { __typeof__(a) _sw = (a); (a) = (b); (b) = _sw; } while (0)
