/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Opening a disk by path inside the kernel, which changed with Linux 6.9.
 */
#ifndef TESTS_KERNEL_TEST_DISK_H
#define TESTS_KERNEL_TEST_DISK_H

#include <linux/blkdev.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>

#include "compat-probed.h"

struct test_disk {
	struct block_device *bdev;
	struct file *file;
};

#if !THINX_HAVE_BDEV_FILE

static inline int test_disk_open(struct test_disk *d, const char *path)
{
	d->bdev = blkdev_get_by_path(path, FMODE_READ | FMODE_WRITE, NULL);
	return PTR_ERR_OR_ZERO(d->bdev);
}

static inline void test_disk_close(struct test_disk *d)
{
	blkdev_put(d->bdev, FMODE_READ | FMODE_WRITE);
}

#else

static inline int test_disk_open(struct test_disk *d, const char *path)
{
	d->file = bdev_file_open_by_path(path, BLK_OPEN_READ | BLK_OPEN_WRITE,
					 NULL, NULL);
	if (IS_ERR(d->file))
		return PTR_ERR(d->file);
	d->bdev = file_bdev(d->file);
	return 0;
}

static inline void test_disk_close(struct test_disk *d)
{
	fput(d->file);
}

#endif

#endif /* TESTS_KERNEL_TEST_DISK_H */
