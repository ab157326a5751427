// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The format is shared with thin-provisioning-tools: they can dump and restore
 * what we write, and we can open and change what they restore.
 */
#include "md-env.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool have_tools(void)
{
	return md_have("thin_dump") && md_have("thin_restore") &&
	       md_have("thin_check") && md_have("python3");
}

static void dump(const char *image, const char *xml)
{
	md_insist(!md_shell("PATH=$PATH:/usr/sbin thin_dump %s >%s", image,
			    xml));
}

static void restore(const char *xml, const char *image, u64 nr_blocks)
{
	md_insist(!md_shell("rm -f %s; truncate -s %llu %s; "
			    "PATH=$PATH:/usr/sbin thin_restore -q -i %s -o %s >/dev/null",
			    image, (unsigned long long)nr_blocks * 4096, image,
			    xml, image));
}

static void save(struct md_env *e, const char *path)
{
	struct ram_image *img = ram_store_image(e->io);

	md_insist(!ram_image_save(img, path));
	ram_image_destroy(img);
}

static void load(struct md_env *e, const char *path)
{
	struct ram_image *img = ram_image_load(path);

	md_insist(img && !md_push_image(e, img));
}

/* A bit of everything: devices, snapshots of snapshots, holes, deletions. */
static void workload(struct md_env *e, u64 seed, int nr_ops)
{
	u64 rng = seed;
	u32 nr_devs = 1;
	int i;

	md_insist(!thinx_md_create_thin(e->md, 0) ||
		  thinx_md_create_thin(e->md, 0) == -EEXIST);
	for (i = 0; i < nr_ops; i++) {
		u32 id = md_rnd(&rng) % nr_devs;
		u64 v = md_rnd(&rng) % 3000;
		struct thinx_md_dev *dev;
		int r;

		if (md_rnd(&rng) % 40 == 0) {
			r = thinx_md_create_snap(e->md, nr_devs, id);
			md_insist(!r || r == -ENODATA || r == -EEXIST);
			nr_devs += !r;
			continue;
		}
		if (md_rnd(&rng) % 100 == 0) {
			r = thinx_md_delete(e->md, id);
			md_insist(!r || r == -ENODATA);
			continue;
		}
		if (md_rnd(&rng) % 20 == 0)
			md_commit(e);
		if (thinx_md_open_device(e->md, id, &dev))
			continue;
		if (md_rnd(&rng) % 4)
			md_map(e, dev, v, md_rnd(&rng) % 30 + 1);
		else
			md_unmap(e, dev, v, v + md_rnd(&rng) % 60);
		thinx_md_close_device(dev);
	}
	md_commit(e);
	md_check(e);
}

static void test_our_metadata_survive_dump_and_restore(void **state)
{
	struct md_env e;
	u64 seed;

	if (!have_tools())
		skip();
	for (seed = 1; seed <= 6; seed++) {
		const char *ours = md_tmp("ours"), *theirs = md_tmp("theirs");
		const char *a = md_tmp("a.xml"), *b = md_tmp("b.xml");

		md_begin(&e, 2048, 60000);
		workload(&e, seed, 400);
		assert_true(md_tools_check(&e));
		save(&e, ours);
		dump(ours, a);
		restore(a, theirs, 2048);
		dump(theirs, b);
		assert_int_equal(md_shell("python3 ../same_dump.py %s %s", a, b), 0);
		/* The decoder says the same. */
		assert_int_equal(md_shell("python3 ../decode_thin.py --xml %s >%s && python3 ../same_dump.py %s %s",
					  ours, b, a, b), 0);
		md_end(&e);
	}
}

static void test_restored_metadata_can_be_changed(void **state)
{
	struct md_env e;
	u64 seed;

	if (!have_tools())
		skip();
	for (seed = 11; seed <= 16; seed++) {
		const char *ours = md_tmp("ours"), *theirs = md_tmp("theirs");
		const char *a = md_tmp("a.xml"), *b = md_tmp("b.xml");

		md_begin(&e, 2048, 60000);
		workload(&e, seed, 300);
		save(&e, ours);
		md_end(&e);
		dump(ours, a);
		restore(a, theirs, 2048);

		load(&e, theirs);
		md_check(&e);
		workload(&e, seed + 100, 300);
		assert_true(md_tools_check(&e));
		/* Once more, there and back. */
		save(&e, ours);
		md_crash(&e);
		md_end(&e);
		dump(ours, a);
		restore(a, theirs, 2048);
		dump(theirs, b);
		assert_int_equal(md_shell("python3 ../same_dump.py %s %s", a, b), 0);
	}
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	md_insist(f && fputs(text, f) >= 0 && !fclose(f));
}

static void test_handwritten_metadata_mean_what_they_say(void **state)
{
	const char *xml = md_tmp("hand.xml"), *image = md_tmp("hand");
	struct thinx_md_dev *dev;
	struct md_env e;
	u64 b;

	if (!have_tools())
		skip();
	write_text(xml,
"<superblock uuid=\"\" time=\"3\" transaction=\"12\" flags=\"0\" version=\"2\" data_block_size=\"128\" nr_data_blocks=\"200\">\n"
"  <device dev_id=\"7\" mapped_blocks=\"6\" transaction=\"4\" creation_time=\"0\" snap_time=\"3\">\n"
"    <range_mapping origin_begin=\"10\" data_begin=\"20\" length=\"5\" time=\"1\"/>\n"
"    <single_mapping origin_block=\"1000000\" data_block=\"199\" time=\"3\"/>\n"
"  </device>\n"
"  <device dev_id=\"9\" mapped_blocks=\"5\" transaction=\"5\" creation_time=\"3\" snap_time=\"3\">\n"
"    <range_mapping origin_begin=\"10\" data_begin=\"20\" length=\"5\" time=\"1\"/>\n"
"  </device>\n"
"</superblock>\n");
	restore(xml, image, 512);
	load(&e, image);
	assert_int_equal(thinx_md_transaction_id(e.md), 12);
	dev = md_open(&e, 7);
	assert_int_equal(thinx_md_dev_mapped_blocks(dev), 6);
	assert_int_equal(thinx_md_dev_snapshotted_time(dev), 3);
	assert_true(md_get(dev, 12) == thinx_mapping_pack(22, 1));
	assert_true(md_get(dev, 15) == THINX_WORD_HOLE);
	assert_int_equal(thinx_md_dev_highest_mapped(dev, &b), 0);
	assert_int_equal(b, 1000000);
	thinx_md_close_device(dev);
	md_check(&e);
	md_end(&e);
}

/* docs/format.md 13.4: a full pool whose nr_free was trimmed by old tools. */
static void test_trimmed_full_pool_can_be_grown_and_used(void **state)
{
	const char *xml = md_tmp("full.xml"), *image = md_tmp("full");
	struct thinx_md_dev *dev;
	struct thinx_md_space s;
	struct md_env e;

	if (!have_tools())
		skip();
	write_text(xml,
"<superblock uuid=\"\" time=\"0\" transaction=\"0\" flags=\"0\" version=\"2\" data_block_size=\"128\" nr_data_blocks=\"100\">\n"
"  <device dev_id=\"1\" mapped_blocks=\"100\" transaction=\"0\" creation_time=\"0\" snap_time=\"0\">\n"
"    <range_mapping origin_begin=\"0\" data_begin=\"0\" length=\"100\" time=\"0\"/>\n"
"  </device>\n"
"</superblock>\n");
	restore(xml, image, 512);
	load(&e, image);
	thinx_md_get_space(e.md, &s);
	assert_int_equal(s.data_used, 100);
	assert_int_equal(s.data_allocatable, 0);
	assert_int_equal(thinx_md_resize_data(e.md, 200), 0);
	dev = md_open(&e, 1);
	md_map(&e, dev, 100, 100);
	assert_int_equal(md_try_map(&e, dev, 200, 1), -EXFULL);
	md_commit(&e);
	assert_true(md_tools_check(&e));
	thinx_md_close_device(dev);
	md_end(&e);
}

static void test_metadata_snapshot_can_be_read_by_the_tools(void **state)
{
	const char *path = md_tmp("held"), *a = md_tmp("a.xml");
	const char *b = md_tmp("b.xml");
	struct md_env e;

	if (!have_tools())
		skip();
	md_begin(&e, 2048, 60000);
	workload(&e, 21, 300);
	save(&e, path);
	dump(path, a);
	assert_int_equal(thinx_md_reserve_snap(e.md), 0);
	md_commit(&e);
	workload(&e, 22, 300);
	save(&e, path);
	assert_int_equal(md_shell("PATH=$PATH:/usr/sbin thin_dump -m %s >%s",
				  path, b), 0);
	/* All except the superblock, whose nr_data_blocks is wiped. */
	assert_int_equal(md_shell("python3 ../same_dump.py -d %s %s", a, b), 0);
	assert_true(md_tools_check(&e));
	assert_int_equal(thinx_md_release_snap(e.md), 0);
	md_commit(&e);
	assert_true(md_tools_check(&e));
	md_end(&e);
}

static void test_needs_check_is_cleared_by_thin_check(void **state)
{
	const char *path = md_tmp("flag");
	struct md_env e;

	if (!have_tools())
		skip();
	md_begin(&e, 512, 1000);
	workload(&e, 31, 50);
	assert_int_equal(thinx_md_set_needs_check(e.md), 0);
	save(&e, path);
	md_end(&e);
	load(&e, path);
	assert_true(thinx_md_needs_check(e.md));
	md_end(&e);
	assert_int_equal(md_shell("PATH=$PATH:/usr/sbin thin_check -q --clear-needs-check-flag %s",
				  path), 0);
	load(&e, path);
	assert_false(thinx_md_needs_check(e.md));
	md_end(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_our_metadata_survive_dump_and_restore),
		cmocka_unit_test(test_restored_metadata_can_be_changed),
		cmocka_unit_test(test_handwritten_metadata_mean_what_they_say),
		cmocka_unit_test(test_trimmed_full_pool_can_be_grown_and_used),
		cmocka_unit_test(test_metadata_snapshot_can_be_read_by_the_tools),
		cmocka_unit_test(test_needs_check_is_cleared_by_thin_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
