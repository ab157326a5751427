// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The drop-in: a module of the name of dm-thin's, for programs that know no
 * other.  It gives the targets of dm-thinx-pool.ko, which it needs, the names
 * "thin-pool" and "thin", and has dm-thin's parameters where they are looked
 * for, below /sys/module/dm_thin_pool.
 *
 * Installed below updates/, it comes before dm-thin wherever modules are looked
 * up: by modprobe, by device-mapper when a table names a target, in an
 * initramfs.  Where it is not installed, dm-thin serves the same pools.
 *
 * A kernel takes only one module of a name: where dm-thin is loaded, it does not
 * even get to our init.
 */
#include <linux/dm-kcopyd.h>
#include <linux/module.h>

#include "control/mode.h"
#include "data-path/plane.h"
#include "dm-thinx.h"
#include "include/compat/namespace.h"
#include "include/thinx-version.h"

static int __init drop_in_init(void)
{
	return thinx_stock_names_register(THIS_MODULE);
}

static void __exit drop_in_exit(void)
{
	thinx_stock_names_unregister();
}

module_init(drop_in_init);
module_exit(drop_in_exit);

/* The same variables as dm-thinx-pool.ko's parameters. */
module_param_named(no_space_timeout, thinx_no_space_timeout, uint, 0644);
MODULE_PARM_DESC(no_space_timeout,
		 "Out of data space queue IO timeout in seconds, 0 for never");
module_param_named(snapshot_copy_throttle, thinx_copy_throttle.throttle, uint, 0644);
MODULE_PARM_DESC(snapshot_copy_throttle,
		 "A percentage of time allocated for copy on write");

MODULE_DESCRIPTION("Device-mapper thin provisioning: thinx in place of dm-thin");
MODULE_AUTHOR("The thinx authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(THINX_VERSION);
MODULE_ALIAS("dm-thin");
THINX_IMPORT();
