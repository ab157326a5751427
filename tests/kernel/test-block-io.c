// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The block store on dm-bufio, on a disk that may be overwritten.  Loading the
 * module runs the tests; it fails to load if one of them does.
 *
 *   insmod thinx-test-block-io.ko disk=/dev/vda
 *
 * The tests play block manager: a validator stands for "checked", and sealing
 * stores the block number where format.md puts it.
 */
#include <linux/blkdev.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "include/pd-format.h"
#include "persistent-data/block-io.h"
#include "persistent-data/block-manager.h"
#include "test-disk.h"

#define NR_BLOCKS 3000

static char *disk = "";
module_param(disk, charp, 0444);

static const struct pd_validator test_validator = { .name = "test" };
static struct pd_block_io *io;
static struct page *page;
static struct block_device *bdev;
static int nr_failed;

#define CHECK(x) do {							\
	if (!(x)) {							\
		pr_err("thinx-test: line %d: %s\n", __LINE__, #x);	\
		nr_failed++;						\
	}								\
} while (0)

void pd_block_io_prepare(const struct pd_buffer_aux *aux, pd_block_t b,
			 void *data)
{
	struct pd_disk_header *h = data;

	if (aux->validator)
		h->blocknr = cpu_to_le64(b);
}

/* What is on the disk, past every cache: the block's stamp and a word of it. */
static u64 on_disk(pd_block_t b, u64 *nr)
{
	u64 *words = page_address(page);
	struct bio_vec vec;
	struct bio bio;

	bio_init(&bio, bdev, &vec, 1, REQ_OP_READ);
	bio.bi_iter.bi_sector = b * PD_BLOCK_SECTORS;
	__bio_add_page(&bio, page, PD_BLOCK_SIZE, 0);
	CHECK(!submit_bio_wait(&bio));
	bio_uninit(&bio);
	*nr = le64_to_cpu(((struct pd_disk_header *)words)->blocknr);
	return words[100];
}

static void write_block(pd_block_t b, u64 value)
{
	struct pd_buffer_aux *aux;
	void *handle, *data;

	if (io->ops->get_new(io, b, &handle, &data, &aux)) {
		nr_failed++;
		return;
	}
	aux->validator = &test_validator;
	memset(data, 0, PD_BLOCK_SIZE);
	((u64 *)data)[100] = value;
	io->ops->mark_dirty(io, handle);
	io->ops->release(io, handle);
}

/* Read a block; was it unchecked?  Make it checked. */
static bool read_is_fresh(pd_block_t b, u64 want)
{
	struct pd_buffer_aux *aux;
	void *handle, *data;
	bool fresh;

	if (io->ops->read(io, b, &handle, &data, &aux)) {
		nr_failed++;
		return false;
	}
	fresh = !aux->validator;
	aux->validator = &test_validator;
	if (((u64 *)data)[100] != want) {
		pr_err("thinx-test: block %llu: %llu, not %llu\n", b,
		       ((u64 *)data)[100], want);
		nr_failed++;
	}
	io->ops->release(io, handle);
	return fresh;
}

static void test_written_blocks_are_sealed_and_on_disk(void)
{
	pd_block_t b;
	u64 nr;

	CHECK(io->ops->nr_blocks(io) ==
	      bdev_nr_sectors(bdev) / PD_BLOCK_SECTORS);
	for (b = 1; b < NR_BLOCKS; b++)
		write_block(b, b * 7);
	CHECK(!io->ops->write_dirty(io));
	for (b = 1; b < NR_BLOCKS; b += 97) {
		CHECK(on_disk(b, &nr) == b * 7);
		CHECK(nr == b);
	}
}

static void test_content_read_again_after_a_drop_is_unchecked(void)
{
	CHECK(!io->ops->drop(io));
	CHECK(read_is_fresh(5, 35));
	CHECK(!read_is_fresh(5, 35));
	CHECK(!io->ops->drop(io));
	CHECK(read_is_fresh(5, 35));
	CHECK(!io->ops->drop(io));
	io->ops->read_ahead(io, 5);
	CHECK(read_is_fresh(5, 35));
}

/*
 * The caller has made dm-bufio's cache small: most reads take another block's
 * buffer.  Content found in the cache is checked, everything else is not; a
 * block often returns to the very buffer it was in.
 */
static void test_reused_buffers_are_unchecked(void)
{
	unsigned int fresh = 0, round;
	pd_block_t b;

	for (round = 0; round < 3; round++)
		for (b = 1; b < NR_BLOCKS; b++)
			fresh += read_is_fresh(b, b * 7);
	pr_info("thinx-test: %u of %u reads were fresh\n", fresh,
		3 * (NR_BLOCKS - 1));
	CHECK(fresh > NR_BLOCKS);
}

static void test_change_after_an_early_write_is_written_too(void)
{
	struct pd_buffer_aux *aux;
	void *handle, *data;
	u64 nr;

	CHECK(!io->ops->read(io, 9, &handle, &data, &aux));
	aux->validator = &test_validator;
	((u64 *)data)[100] = 1;
	io->ops->mark_dirty(io, handle);
	CHECK(!io->ops->write_dirty(io));	/* as if by the committer */
	((u64 *)data)[100] = 2;
	io->ops->mark_dirty(io, handle);
	io->ops->release(io, handle);
	CHECK(!io->ops->write_dirty(io));
	CHECK(on_disk(9, &nr) == 2);

	/* A reader does not make it dirty again. */
	CHECK(!read_is_fresh(9, 2));
}

static void test_nested_holds_lose_no_change(void)
{
	struct pd_buffer_aux *aux;
	void *outer, *inner, *data;
	u64 nr;

	CHECK(!io->ops->read(io, 10, &outer, &data, &aux));
	CHECK(!io->ops->read(io, 10, &inner, &data, &aux));
	io->ops->mark_dirty(io, inner);
	io->ops->release(io, inner);
	CHECK(!io->ops->write_dirty(io));
	((u64 *)data)[100] = 3;
	io->ops->mark_dirty(io, outer);
	io->ops->release(io, outer);
	CHECK(!io->ops->write_dirty(io));
	CHECK(on_disk(10, &nr) == 3);
}

static void test_superblock_goes_past_the_cache(void)
{
	u64 *data = kmalloc(2 * PD_BLOCK_SIZE, GFP_KERNEL), nr;
	u64 *unaligned = data + 1;

	if (!data) {
		nr_failed++;
		return;
	}
	memset(unaligned, 0, PD_BLOCK_SIZE);
	unaligned[100] = 4711;
	CHECK(!io->ops->write_super(io, unaligned));
	CHECK(on_disk(0, &nr) == 4711);
	unaligned[100] = 0;
	CHECK(!io->ops->read_super(io, unaligned));
	CHECK(unaligned[100] == 4711);
	kfree(data);
}

static void test_reads_beyond_the_device_fail(void)
{
	struct pd_buffer_aux *aux;
	void *handle, *data;

	CHECK(io->ops->read(io, io->ops->nr_blocks(io) + 10, &handle, &data,
			    &aux) == -EIO);
}

static void run_tests(void)
{
	test_written_blocks_are_sealed_and_on_disk();
	test_content_read_again_after_a_drop_is_unchecked();
	test_reused_buffers_are_unchecked();
	test_change_after_an_early_write_is_written_too();
	test_nested_holds_lose_no_change();
	test_superblock_goes_past_the_cache();
	test_reads_beyond_the_device_fail();
}

static int with_disk(void)
{
	struct test_disk d;
	int r = test_disk_open(&d, disk);

	if (r)
		return r;
	bdev = d.bdev;
	r = pd_block_io_bufio_create(bdev, &io);
	if (!r) {
		run_tests();
		io->ops->destroy(io);
	}
	test_disk_close(&d);
	return r;
}

static int __init test_init(void)
{
	int r;

	page = alloc_page(GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	r = with_disk();
	__free_page(page);
	pr_info("thinx-test: %d failed\n", nr_failed);
	return r ?: nr_failed ? -EUCLEAN : 0;
}

static void __exit test_exit(void)
{
}

module_init(test_init);
module_exit(test_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("thinx: tests of the block store");
