// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Module init and exit.
 *
 * With the drop-in, dm-thin-pool.c, the same two targets also bear the names of
 * dm-thin's, for programs that know no others.  dm core allows each name only
 * once, so the drop-in and dm-thin exclude each other.
 *
 * The lock order of the whole module, outermost first.  "by": what nests them.
 *
 *   dm core's suspend lock (held around presuspend, postsuspend, preresume and
 *   │                       resume, but not constructors)
 *   ├─ thinx_pools_lock			mutex, control/pool.c
 *   ├─ thinx_pool.mode_lock		mutex, by control/mode.c
 *   │   ├─ thinx_plane.volumes_lock	mutex, by thinx_plane_abort()
 *   │   │   └─ (close gates; an abort drains them, too)
 *   │   └─ metadata commit mutex		by thinx_md_abort(), thinx_md_commit()
 *   │       └─ close_mutex		while a generation closes, or may not
 *   │           └─ metadata lock	rwsem in dm-thinx-metadata.c
 *   │               └─ thinx_range_lock.lock	by the fills of data-path/map-cache.c
 *   │                   └─ xarray of the map cache
 *   ├─ thinx_quotas.change		mutex, by control/quotas.c
 *   │   └─ metadata lock
 *   │       └─ thinx_quotas.lock	spinlock, by data-path/provision.c, too
 *   ├─ thinx_plane.waiting_lock		spinlock, interrupts off
 *   │   └─ thinx_volume.lock		the same, by data-path/volume.c
 *   └─ thinx_commit.lock		the same; nothing nests
 *
 * Gates and held ranges are not locks in this sense, but they are ordered too:
 * a range is taken before a gate is drained; code inside a gate takes no range
 * and never waits for a drain; the metadata lock is taken with ranges held,
 * never the other way round.
 */
#include "dm-thinx.h"

#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/module.h>

#include "control/pool-target.h"
#include "control/thin-target.h"
#include "data-path/map-cache.h"
#include "data-path/plane.h"
#include "include/compat/namespace.h"
#include "include/thinx-log.h"
#include "include/thinx-version.h"

/* As the drop-in, but in this module; from before there was one. */
static bool drop_in;

/*
 * A thirty-second part of the memory.  The shrinker takes it back; the limit only
 * keeps mappings from crowding out everything else in the meantime.
 */
#define MAP_CACHE_SHARE 32

static void __init limit_map_cache(void)
{
	if (thinx_map_cache_limit_bytes == ULONG_MAX)
		thinx_map_cache_limit_bytes =
			(totalram_pages() << PAGE_SHIFT) / MAP_CACHE_SHARE;
}

static int register_stock_names(struct module *owner)
{
	int r;

	r = thinx_pool_target_register_stock(owner);
	if (r)
		return r;
	r = thinx_thin_target_register_stock(owner);
	if (r)
		thinx_pool_target_unregister_stock();
	return r;
}

static void unregister_stock_names(void)
{
	thinx_thin_target_unregister_stock();
	thinx_pool_target_unregister_stock();
}

/* To modprobe -EEXIST means "already loaded", which is success. */
static int told_to_modprobe(int r)
{
	return r == -EEXIST ? -EBUSY : r;
}

int thinx_stock_names_register(struct module *owner)
{
	return drop_in ? 0 : told_to_modprobe(register_stock_names(owner));
}
EXPORT_SYMBOL_THINX(thinx_stock_names_register);

void thinx_stock_names_unregister(void)
{
	if (!drop_in)
		unregister_stock_names();
}
EXPORT_SYMBOL_THINX(thinx_stock_names_unregister);

/* A parameter that the drop-in has as well, like the one of control/mode.c. */
EXPORT_SYMBOL_THINX(thinx_copy_throttle);

static int __init thinx_init(void)
{
	int r;

	limit_map_cache();
	r = thinx_map_cache_setup();
	if (r)
		return r;
	r = thinx_map_cache_shrinker_register();
	if (r)
		goto err_teardown_map_cache;
	r = thinx_pool_target_register();
	if (r)
		goto err_unregister_shrinker;
	r = thinx_thin_target_register();
	if (r)
		goto err_unregister_pool;
	r = drop_in ? register_stock_names(THIS_MODULE) : 0;
	if (r)
		goto err_unregister_thin;
	DMINFO("version " THINX_VERSION);
	return 0;

err_unregister_thin:
	thinx_thin_target_unregister();
err_unregister_pool:
	thinx_pool_target_unregister();
err_unregister_shrinker:
	thinx_map_cache_shrinker_unregister();
err_teardown_map_cache:
	thinx_map_cache_teardown();
	return told_to_modprobe(r);
}

static void __exit thinx_exit(void)
{
	if (drop_in)
		unregister_stock_names();
	thinx_thin_target_unregister();
	thinx_pool_target_unregister();
	thinx_map_cache_shrinker_unregister();
	thinx_map_cache_teardown();
	/* After this, no RCU callback that frees memory needs our code. */
	rcu_barrier();
}

module_init(thinx_init);
module_exit(thinx_exit);

module_param(drop_in, bool, 0444);
MODULE_PARM_DESC(drop_in, "Also serve the targets thin-pool and thin, without the module dm-thin-pool");

static int get_map_cache_bytes(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE, "%lu\n", thinx_map_cache_bytes());
}

static const struct kernel_param_ops map_cache_bytes_ops = {
	.get = get_map_cache_bytes,
};

module_param_cb(map_cache_bytes, &map_cache_bytes_ops, NULL, 0444);
MODULE_PARM_DESC(map_cache_bytes, "Memory that all map caches together use, in bytes");
module_param_named(map_cache_limit_bytes, thinx_map_cache_limit_bytes, ulong,
		   0644);
MODULE_PARM_DESC(map_cache_limit_bytes,
		 "Memory that all map caches together may use, in bytes");

MODULE_DESCRIPTION("Device-mapper thin provisioning: dm-thin's format and interface, a different engine");
MODULE_AUTHOR("The thinx authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(THINX_VERSION);
MODULE_ALIAS("dm-thinx");
MODULE_ALIAS("thinx");
