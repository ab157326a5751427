/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The lock order of the whole module, outermost first.  "by" names who nests.
 *
 *   dm core's suspend lock (held around presuspend, postsuspend, preresume and
 *   │                       resume; constructors have none of it)
 *   ├─ thinx_pools_lock			mutex, control/pool.c
 *   ├─ thinx_pool.mode_lock		mutex, by control/mode.c
 *   │   ├─ thinx_plane.volumes_lock	mutex, by thinx_plane_abort()
 *   │   │   └─ (close and drain gates)
 *   │   └─ metadata commit mutex		by thinx_md_abort(), thinx_md_commit()
 *   │       └─ metadata lock		rwsem in dm-thinx-metadata.c
 *   │           └─ thinx_range_lock.lock	by the fills of data-path/map-cache.c
 *   │               └─ xarray of the map cache
 *   └─ thinx_volume.lock, thinx_commit.lock
 *					spinlocks, interrupts off; nothing nests
 *
 * Gates and held ranges are no locks in this sense, but they order as well:
 * a range is taken before a gate is drained; who is inside a gate takes no
 * range and waits for nobody who drains; the metadata lock is taken with ranges
 * held, never the other way round.
 */
#ifndef DM_THINX_H
#define DM_THINX_H

#define DM_MSG_PREFIX "thinx"

#endif /* DM_THINX_H */
