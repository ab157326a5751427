// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What the block manager lets in, and how it seals what goes out; run on the
 * RAM store, which is thereby tested as well.
 */
#include "persistent-data/block-manager.h"

#include "include/pd-format.h"
#include "stores/stores.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <asm/byteorder.h>

#define NR_BLOCKS 64
#define ok(expr) assert_int_equal(expr, 0)

static const struct pd_validator node_v = {
	.name = "node", .csum_xor = PD_NODE_CSUM_XOR,
};

static const struct pd_validator bitmap_v = {
	.name = "bitmap", .csum_xor = PD_BITMAP_CSUM_XOR,
};

static int refuse_99(struct pd_bm *bm, pd_block_t b, const void *data)
{
	return ((const unsigned char *)data)[100] == 99 ? -EILSEQ : 0;
}

static const struct pd_validator picky_v = {
	.name = "picky", .csum_xor = PD_NODE_CSUM_XOR, .check = refuse_99,
};

static struct pd_block_io *io;
static struct pd_bm *bm;

static int setup(void **state)
{
	io = ram_store_create(NR_BLOCKS);
	return pd_bm_create(io, &bm);
}

static int teardown(void **state)
{
	pd_bm_destroy(bm);
	return 0;
}

/* Swap the device's contents for @img. */
static void replace_device(struct ram_image *img)
{
	pd_bm_destroy(bm);
	io = ram_store_open(img);
	ram_image_destroy(img);
	ok(pd_bm_create(io, &bm));
}

static void write_block(pd_block_t b, const struct pd_validator *v, u8 fill)
{
	struct pd_block blk;

	ok(pd_bm_write_zero(bm, b, v, &blk));
	memset((u8 *)blk.data + 16, fill, PD_BLOCK_SIZE - 16);
	pd_bm_release(bm, &blk);
}

static struct ram_image *flushed_image(void)
{
	ok(pd_bm_flush(bm));
	return ram_store_image(io);
}

static void test_checksum_equals_that_of_real_pools(void **state)
{
	static u8 data[PD_BLOCK_SIZE];

	/* docs/format.md 13.3, block 59: a bitmap dm-thin wrote. */
	data[8] = 0x3b;
	data[16] = 0x69;
	data[17] = 0xa9;
	assert_int_equal(pd_csum(data, PD_BITMAP_CSUM_XOR), 0xd6bd5578);
	data[0] = 0xff;	/* not covered */
	assert_int_equal(pd_csum(data, PD_BITMAP_CSUM_XOR), 0xd6bd5578);

	/* An empty leaf of 336 u32 values; the sum is from another program. */
	memset(data, 0, sizeof(data));
	data[4] = 2;
	data[8] = 7;
	data[20] = 336 & 255;
	data[21] = 336 >> 8;
	data[24] = 4;
	assert_int_equal(pd_csum(data, PD_NODE_CSUM_XOR), 0x41a2e41b);
}

static void test_block_is_sealed_when_written(void **state)
{
	const struct pd_disk_header *h;
	struct ram_image *img;

	write_block(5, &node_v, 0x33);
	img = flushed_image();
	h = ram_image_read(img, 5);
	assert_int_equal(le64_to_cpu(h->blocknr), 5);
	assert_int_equal(le32_to_cpu(h->csum), pd_csum(h, PD_NODE_CSUM_XOR));
	assert_int_equal(((const u8 *)h)[16], 0x33);
	ram_image_destroy(img);
}

static void test_block_is_read_back_from_the_device(void **state)
{
	struct pd_block blk;
	unsigned long reads;

	write_block(5, &node_v, 0x33);
	replace_device(flushed_image());
	ok(pd_bm_read(bm, 5, &node_v, &blk));
	assert_int_equal(blk.nr, 5);
	assert_int_equal(((u8 *)blk.data)[4095], 0x33);
	pd_bm_release(bm, &blk);
	reads = ram_store_nr_ops(io, RAM_OP_READ);
	ok(pd_bm_read(bm, 5, &node_v, &blk));
	pd_bm_release(bm, &blk);
	assert_int_equal(ram_store_nr_ops(io, RAM_OP_READ), reads);
}

static void damage(pd_block_t b, size_t offset)
{
	struct ram_image *img = flushed_image();

	img->blocks[b][offset] ^= 0x40;
	replace_device(img);
}

static void test_wrong_checksum_is_eilseq(void **state)
{
	static const size_t offsets[] = { 0, 3, 4, 16, 2000, 4095 };
	struct pd_block blk;
	unsigned long logged;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		write_block(5, &node_v, 0x33);
		damage(5, offsets[i]);
		logged = shim_nr_logged;
		assert_int_equal(pd_bm_read(bm, 5, &node_v, &blk), -EILSEQ);
		assert_int_equal(shim_nr_logged, logged + 1);
		/* Not remembered as good. */
		assert_int_equal(pd_bm_read(bm, 5, &node_v, &blk), -EILSEQ);
	}
}

static void test_wrong_block_number_is_enotblk(void **state)
{
	struct ram_image *img;
	struct pd_block blk;

	write_block(5, &node_v, 0x33);
	img = flushed_image();
	ram_image_write(img, 6, ram_image_read(img, 5));
	replace_device(img);
	assert_int_equal(pd_bm_read(bm, 6, &node_v, &blk), -ENOTBLK);
	/* The number is checked first: an empty block has neither. */
	assert_int_equal(pd_bm_read(bm, 7, &node_v, &blk), -ENOTBLK);
}

static void test_other_type_is_eilseq_cached_or_not(void **state)
{
	struct pd_block blk;

	write_block(5, &node_v, 0x33);
	assert_int_equal(pd_bm_read(bm, 5, &bitmap_v, &blk), -EILSEQ);
	assert_int_equal(pd_bm_write(bm, 5, &bitmap_v, &blk), -EILSEQ);
	replace_device(flushed_image());
	assert_int_equal(pd_bm_read(bm, 5, &bitmap_v, &blk), -EILSEQ);
	ok(pd_bm_read(bm, 5, &node_v, &blk));
	pd_bm_release(bm, &blk);
}

static void test_new_life_of_a_block_has_a_new_type(void **state)
{
	struct pd_block blk;

	write_block(5, &node_v, 0x33);
	write_block(5, &bitmap_v, 0);
	ok(pd_bm_read(bm, 5, &bitmap_v, &blk));
	assert_int_equal(((u8 *)blk.data)[16], 0);
	pd_bm_release(bm, &blk);
	replace_device(flushed_image());
	ok(pd_bm_read(bm, 5, &bitmap_v, &blk));
	pd_bm_release(bm, &blk);
}

static void test_validator_may_refuse_content(void **state)
{
	struct pd_block blk;

	write_block(5, &picky_v, 99);
	write_block(6, &picky_v, 98);
	replace_device(flushed_image());
	assert_int_equal(pd_bm_read(bm, 5, &picky_v, &blk), -EILSEQ);
	ok(pd_bm_read(bm, 6, &picky_v, &blk));
	pd_bm_release(bm, &blk);
}

static void test_impossible_numbers_are_einval(void **state)
{
	static const pd_block_t bad[] = { 0, NR_BLOCKS, NR_BLOCKS + 1, ~0ull };
	struct pd_block blk;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(pd_bm_read(bm, bad[i], &node_v, &blk),
				 -EINVAL);
		assert_int_equal(pd_bm_write(bm, bad[i], &node_v, &blk),
				 -EINVAL);
		assert_int_equal(pd_bm_write_zero(bm, bad[i], &node_v, &blk),
				 -EINVAL);
		pd_bm_prefetch(bm, bad[i]);
	}
	assert_int_equal(ram_store_nr_ops(io, RAM_OP_READ), 0);
	ok(pd_bm_write_zero(bm, NR_BLOCKS - 1, &node_v, &blk));
	pd_bm_release(bm, &blk);
}

static void test_read_only_refuses_every_write(void **state)
{
	u8 data[PD_BLOCK_SIZE] = { 0 };
	struct pd_block blk;

	write_block(5, &node_v, 1);
	ok(pd_bm_flush(bm));
	pd_bm_set_read_only(bm);
	assert_true(pd_bm_is_read_only(bm));
	assert_int_equal(pd_bm_write(bm, 5, &node_v, &blk), -EPERM);
	assert_int_equal(pd_bm_write_zero(bm, 6, &node_v, &blk), -EPERM);
	assert_int_equal(pd_bm_flush(bm), -EPERM);
	assert_int_equal(pd_bm_write_super(bm, &node_v, data), -EPERM);
	ok(pd_bm_read(bm, 5, &node_v, &blk));
	pd_bm_release(bm, &blk);
	pd_bm_set_read_write(bm);
	ok(pd_bm_write(bm, 5, &node_v, &blk));
	pd_bm_release(bm, &blk);
}

static void test_change_made_while_a_flush_runs_is_not_lost(void **state)
{
	struct ram_image *img;
	struct pd_block blk;

	write_block(5, &node_v, 1);
	ok(pd_bm_write(bm, 5, &node_v, &blk));
	ok(pd_bm_flush(bm));	/* writes and cleans the held buffer */
	((u8 *)blk.data)[50] = 77;
	pd_bm_release(bm, &blk);
	img = flushed_image();
	assert_int_equal(((const u8 *)ram_image_read(img, 5))[50], 77);
	ram_image_destroy(img);
}

static void test_blocks_held_for_reading_are_not_written(void **state)
{
	unsigned long writes;
	struct pd_block blk;

	write_block(5, &node_v, 1);
	ok(pd_bm_flush(bm));
	writes = ram_store_nr_ops(io, RAM_OP_WRITE);
	ok(pd_bm_read(bm, 5, &node_v, &blk));
	pd_bm_release(bm, &blk);
	ok(pd_bm_flush(bm));
	assert_int_equal(ram_store_nr_ops(io, RAM_OP_WRITE), writes);
}

static void test_superblock_is_sealed_and_checked(void **state)
{
	u8 data[PD_BLOCK_SIZE], back[PD_BLOCK_SIZE];

	memset(data, 0x11, sizeof(data));
	ok(pd_bm_write_super(bm, &picky_v, data));
	ok(pd_bm_read_super(bm, &picky_v, back));
	assert_memory_equal(data, back, sizeof(data));
	assert_int_equal(le64_to_cpu(((struct pd_disk_header *)back)->blocknr),
			 0);
	assert_int_equal(pd_bm_read_super(bm, &bitmap_v, back), -EILSEQ);
	memset(data, 99, sizeof(data));
	ok(pd_bm_write_super(bm, &picky_v, data));
	assert_int_equal(pd_bm_read_super(bm, &picky_v, back), -EILSEQ);
	ok(pd_bm_read_super(bm, NULL, back));
	assert_int_equal(back[100], 99);
}

static void test_blank_superblock_is_readable_without_validator(void **state)
{
	u8 data[PD_BLOCK_SIZE];

	ok(pd_bm_read_super(bm, NULL, data));
	assert_int_equal(data[4095], 0);
	/* The number 0 is right by chance, the checksum is not. */
	assert_int_equal(pd_bm_read_super(bm, &node_v, data), -EILSEQ);
}

static void test_io_errors_are_reported(void **state)
{
	u8 data[PD_BLOCK_SIZE] = { 0 };
	struct pd_block blk;

	write_block(5, &node_v, 1);
	ram_store_fail(io, RAM_OP_WRITE, 0, false);
	assert_int_equal(pd_bm_flush(bm), -EIO);
	ok(pd_bm_flush(bm));	/* it stayed dirty */
	ram_store_fail(io, RAM_OP_FLUSH, 0, false);
	assert_int_equal(pd_bm_flush(bm), -EIO);
	ram_store_fail(io, RAM_OP_WRITE, 0, false);
	assert_int_equal(pd_bm_write_super(bm, &node_v, data), -EIO);
	replace_device(flushed_image());
	ram_store_fail(io, RAM_OP_READ, 0, true);
	assert_int_equal(pd_bm_read(bm, 5, &node_v, &blk), -EIO);
	assert_int_equal(pd_bm_read_super(bm, NULL, data), -EIO);
	pd_bm_prefetch(bm, 5);
	ram_store_fail(io, RAM_OP_READ, -1, false);
	ok(pd_bm_read(bm, 5, &node_v, &blk));
	pd_bm_release(bm, &blk);
}

static void test_a_cached_read_never_reads_the_device(void **state)
{
	unsigned long nr_reads;
	struct pd_block blk;

	write_block(5, &node_v, 1);
	replace_device(flushed_image());
	nr_reads = ram_store_nr_ops(io, RAM_OP_READ);
	assert_int_equal(pd_bm_read_cached(bm, 5, &node_v, &blk), -EAGAIN);
	assert_int_equal(pd_bm_read_cached(bm, 0, &node_v, &blk), -EINVAL);
	assert_int_equal(ram_store_nr_ops(io, RAM_OP_READ), nr_reads);
	ok(pd_bm_wait(bm, 5));
	assert_int_equal(ram_store_nr_ops(io, RAM_OP_READ), nr_reads + 1);
	assert_int_equal(pd_bm_read_cached(bm, 5, &bitmap_v, &blk), -EILSEQ);
	ok(pd_bm_read_cached(bm, 5, &node_v, &blk));
	assert_int_equal(blk.nr, 5);
	pd_bm_release(bm, &blk);
	assert_int_equal(ram_store_nr_ops(io, RAM_OP_READ), nr_reads + 1);
}

static void test_waiting_for_a_block_reports_why_it_cannot_be_read(void **state)
{
	struct pd_block blk;

	write_block(5, &node_v, 1);
	replace_device(flushed_image());
	assert_int_equal(pd_bm_wait(bm, 0), -EINVAL);
	assert_int_equal(pd_bm_wait(bm, NR_BLOCKS), -EINVAL);
	ram_store_fail(io, RAM_OP_READ, 0, false);
	assert_int_equal(pd_bm_wait(bm, 5), -EIO);
	assert_int_equal(pd_bm_read_cached(bm, 5, &node_v, &blk), -EAGAIN);
	ok(pd_bm_wait(bm, 5));
	ok(pd_bm_detach(bm));
	assert_int_equal(pd_bm_wait(bm, 5), -ENODEV);
}

static void test_dropped_changes_are_gone(void **state)
{
	struct pd_block blk;

	write_block(5, &node_v, 1);
	ok(pd_bm_flush(bm));
	write_block(5, &node_v, 2);
	ok(pd_bm_drop(bm));
	ok(pd_bm_read(bm, 5, &node_v, &blk));
	assert_int_equal(((u8 *)blk.data)[16], 1);
	pd_bm_release(bm, &blk);
}

static void test_device_may_grow(void **state)
{
	struct pd_block blk;

	assert_int_equal(pd_bm_nr_blocks(bm), NR_BLOCKS);
	ram_store_grow(io, 2 * NR_BLOCKS);
	assert_int_equal(pd_bm_nr_blocks(bm), 2 * NR_BLOCKS);
	ok(pd_bm_write_zero(bm, 2 * NR_BLOCKS - 1, &node_v, &blk));
	pd_bm_release(bm, &blk);
}

static void test_failed_creation_frees_the_store(void **state)
{
	struct pd_bm *other;

	shim_fail_alloc(0, false);
	/* A leak would be reported at the end of the program. */
	assert_int_equal(pd_bm_create(ram_store_create(4), &other), -ENOMEM);
	shim_fail_alloc(-1, false);
}

static void test_shaken_store_keeps_every_block(void **state)
{
	u8 twin[NR_BLOCKS] = { 0 };
	struct pd_block blk;
	unsigned int i;

	srandom(3);
	ram_store_shake(io, 5, 3);
	for (i = 0; i < 20000; i++) {
		pd_block_t b = 1 + random() % (NR_BLOCKS - 1);

		if (!twin[b] || !(random() % 4)) {
			twin[b] = 1 + random() % 255;
			write_block(b, &node_v, twin[b]);
		} else if (random() % 2) {
			ok(pd_bm_write(bm, b, &node_v, &blk));
			assert_int_equal(((u8 *)blk.data)[77], twin[b]);
			twin[b] = 1 + random() % 255;
			memset((u8 *)blk.data + 16, twin[b], 4080);
			pd_bm_release(bm, &blk);
		} else {
			ok(pd_bm_read(bm, b, &node_v, &blk));
			assert_int_equal(((u8 *)blk.data)[4095], twin[b]);
			pd_bm_release(bm, &blk);
		}
	}
	assert_true(ram_store_nr_ops(io, RAM_OP_READ) > 1000);
}

static int read_fill(pd_block_t b, u8 *fill)
{
	struct pd_block blk;
	int r = pd_bm_read(bm, b, &node_v, &blk);

	if (!r) {
		*fill = ((u8 *)blk.data)[100];
		pd_bm_release(bm, &blk);
	}
	return r;
}

/* What an early write that fails does: it is cleaned, evicted, read again. */
static void lose_an_early_write(void)
{
	unsigned int i;
	u8 fill;

	ram_store_fail(io, RAM_OP_WRITE, 0, true);
	ram_store_shake(io, 1, 1);
	for (i = 0; i < 20; i++)
		ok(read_fill(9, &fill));
	ram_store_shake(io, 0, 0);
	ram_store_fail(io, RAM_OP_WRITE, -1, false);
}

static void test_lost_early_write_is_noticed_when_read(void **state)
{
	u8 fill;

	write_block(5, &node_v, 1);
	write_block(9, &node_v, 9);
	ok(pd_bm_flush(bm));
	pd_bm_close(bm);
	pd_bm_complete(bm);

	write_block(5, &node_v, 2);
	lose_an_early_write();
	assert_int_equal(read_fill(5, &fill), -EIO);
	assert_int_equal(pd_bm_flush(bm), -EIO);
	assert_int_equal(read_fill(5, &fill), -EIO);

	/* Go back to what is durable. */
	ok(pd_bm_drop(bm));
	ok(read_fill(5, &fill));
	assert_int_equal(fill, 1);
}

static void test_lost_write_of_a_closed_transaction_is_noticed(void **state)
{
	u8 fill;

	write_block(5, &node_v, 1);
	write_block(9, &node_v, 9);
	ok(pd_bm_flush(bm));
	pd_bm_close(bm);
	pd_bm_complete(bm);

	write_block(5, &node_v, 2);
	pd_bm_close(bm);
	write_block(6, &node_v, 3);
	lose_an_early_write();
	assert_int_equal(read_fill(5, &fill), -EIO);
}

/* Written early, changed, and only the second write is lost. */
static void test_lost_second_write_is_noticed(void **state)
{
	struct pd_block blk;
	u8 fill;

	write_block(9, &node_v, 9);
	write_block(5, &node_v, 1);
	ok(pd_bm_flush(bm));
	ok(pd_bm_write(bm, 5, &node_v, &blk));
	((u8 *)blk.data)[100] = 2;
	pd_bm_release(bm, &blk);
	lose_an_early_write();
	assert_int_equal(read_fill(5, &fill), -EIO);
}

static void test_complete_transaction_is_not_remembered(void **state)
{
	struct ram_image *old;
	u8 fill;

	write_block(5, &node_v, 1);
	ok(pd_bm_flush(bm));
	old = ram_store_image(io);
	write_block(5, &node_v, 2);
	ok(pd_bm_flush(bm));
	ram_store_evict(io);
	ok(read_fill(5, &fill));
	assert_int_equal(fill, 2);
	pd_bm_close(bm);
	pd_bm_complete(bm);
	ram_store_poke(io, 5, ram_image_read(old, 5));
	ram_store_evict(io);
	ok(read_fill(5, &fill));
	assert_int_equal(fill, 1);
	ram_image_destroy(old);
}

static unsigned long nr_resched;

static void count_resched(void)
{
	nr_resched++;
}

static void test_large_transactions_are_forgotten_in_slices(void **state)
{
	struct pd_block blk;
	pd_block_t b;

	for (b = 1; b < NR_BLOCKS; b++) {
		ok(pd_bm_write_zero(bm, b, &node_v, &blk));
		pd_bm_release(bm, &blk);
	}
	pd_bm_close(bm);
	ok(pd_bm_flush(bm));
	nr_resched = 0;
	shim_on_resched = count_resched;
	pd_bm_complete(bm);
	shim_on_resched = NULL;
	assert_true(nr_resched >= NR_BLOCKS - 1);
}

static void test_events_tell_the_order_of_writes(void **state)
{
	u8 data[PD_BLOCK_SIZE] = { 0 };
	const struct ram_event *e;

	ram_store_record(io, true);
	write_block(9, &node_v, 9);
	ok(pd_bm_flush(bm));
	ok(pd_bm_write_super(bm, &node_v, data));
	assert_int_equal(ram_store_nr_events(io), 3);
	e = ram_store_event(io, 0);
	assert_int_equal(e->kind, RAM_WRITE);
	assert_int_equal(e->block, 9);
	assert_int_equal(e->data[16], 9);
	assert_int_equal(ram_store_event(io, 1)->kind, RAM_FLUSH);
	assert_int_equal(ram_store_event(io, 2)->kind, RAM_SUPER);
	ram_store_record(io, true);
	assert_int_equal(ram_store_nr_events(io), 0);
}

static void test_file_store_works_like_the_ram_store(void **state)
{
	char path[] = "/tmp/thinx-file-store-XXXXXX";
	struct ram_image *img, *back;
	struct pd_block_io *file;
	struct pd_block blk;
	struct pd_bm *fbm;
	int fd;

	write_block(5, &node_v, 0x44);
	img = flushed_image();
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	ok(ram_image_save(img, path));
	ok(file_store_open(path, &file));
	ok(pd_bm_create(file, &fbm));
	assert_int_equal(pd_bm_nr_blocks(fbm), NR_BLOCKS);
	ok(pd_bm_write(fbm, 5, &node_v, &blk));
	assert_int_equal(((u8 *)blk.data)[16], 0x44);
	((u8 *)blk.data)[16] = 0x45;
	pd_bm_release(fbm, &blk);
	ok(pd_bm_write_zero(fbm, 6, &bitmap_v, &blk));
	pd_bm_release(fbm, &blk);
	ok(pd_bm_flush(fbm));
	pd_bm_destroy(fbm);

	back = ram_image_load(path);
	assert_non_null(back);
	replace_device(back);
	ok(pd_bm_read(bm, 5, &node_v, &blk));
	assert_int_equal(((u8 *)blk.data)[16], 0x45);
	pd_bm_release(bm, &blk);
	ok(pd_bm_read(bm, 6, &bitmap_v, &blk));
	pd_bm_release(bm, &blk);
	assert_int_equal(file_store_open("/nonexistent/file", &file), -ENOENT);
	unlink(path);
	ram_image_destroy(img);
}

#define t(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		t(test_checksum_equals_that_of_real_pools),
		t(test_block_is_sealed_when_written),
		t(test_block_is_read_back_from_the_device),
		t(test_wrong_checksum_is_eilseq),
		t(test_wrong_block_number_is_enotblk),
		t(test_other_type_is_eilseq_cached_or_not),
		t(test_new_life_of_a_block_has_a_new_type),
		t(test_validator_may_refuse_content),
		t(test_impossible_numbers_are_einval),
		t(test_read_only_refuses_every_write),
		t(test_change_made_while_a_flush_runs_is_not_lost),
		t(test_blocks_held_for_reading_are_not_written),
		t(test_superblock_is_sealed_and_checked),
		t(test_blank_superblock_is_readable_without_validator),
		t(test_io_errors_are_reported),
		t(test_a_cached_read_never_reads_the_device),
		t(test_waiting_for_a_block_reports_why_it_cannot_be_read),
		t(test_dropped_changes_are_gone),
		t(test_device_may_grow),
		t(test_failed_creation_frees_the_store),
		t(test_shaken_store_keeps_every_block),
		t(test_lost_early_write_is_noticed_when_read),
		t(test_lost_write_of_a_closed_transaction_is_noticed),
		t(test_lost_second_write_is_noticed),
		t(test_complete_transaction_is_not_remembered),
		t(test_large_transactions_are_forgotten_in_slices),
		t(test_events_tell_the_order_of_writes),
		t(test_file_store_works_like_the_ram_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
