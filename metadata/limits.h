/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * How much is done at once: what bounds the time the metadata lock is held.
 *
 * Tests compile the metadata with small ones, so that little takes many steps.
 */
#ifndef THINX_LIMITS_H
#define THINX_LIMITS_H

/*
 * Most nodes of a device that is deleted at once.  Of a larger one, leaves of its
 * own are taken out in steps; then what it shares is dropped.
 */
#ifndef THINX_DROP_NODES
#define THINX_DROP_NODES	64
#endif

/* Most leaves that a step takes from a device that has more nodes. */
#ifndef THINX_DROP_LEAVES
#define THINX_DROP_LEAVES	16
#endif

/* Most references that a step drops of what a device shares, without reading it. */
#ifndef THINX_DROP_REFS
#define THINX_DROP_REFS		4096
#endif

/*
 * A transaction whose space maps weigh this much (pd_sm_weight()) is heavy, and is
 * committed before the next step: closing and completing it take some
 * milliseconds each, under the lock, and its changes up to 20 MiB.  That is what
 * the counts of 30000 data blocks without neighbours weigh, or of two million in
 * sequence.
 */
#ifndef THINX_HEAVY
#define THINX_HEAVY		32768
#endif

/*
 * Nodes that one step of a query looks at, about: with a count to look up for
 * each entry, some 0.2 ms each at worst.
 */
#ifndef THINX_QUERY_NODES
#define THINX_QUERY_NODES	16
#endif

#endif /* THINX_LIMITS_H */
