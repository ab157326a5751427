// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What every test of the metadata façade needs.
 */
#include "md-env.h"

#include <asm/byteorder.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metadata/metadata.h"
#include "persistent-data/block-manager.h"
#include "tests/check/metadata-check.h"

void md_insist_at(bool what, const char *text, const char *file, int line)
{
	if (what)
		return;
	fprintf(stderr, "%s:%d: failed: %s\n", file, line, text);
	abort();
}

static void open_on(struct md_env *e, struct pd_block_io *io)
{
	e->io = io;
	md_insist(!thinx_md_open(io, MD_BLOCK_SECTORS, true, false, &e->md));
}

void md_begin(struct md_env *e, pd_block_t nr_meta, u64 nr_data)
{
	open_on(e, ram_store_create(nr_meta));
	md_insist(!thinx_md_resize_data(e->md, nr_data));
	md_commit(e);
}

void md_check(struct md_env *e)
{
	md_insist(!thinx_md_check(e->md));
}

void md_end(struct md_env *e)
{
	md_check(e);
	md_close(e);
}

void md_close(struct md_env *e)
{
	thinx_md_close(e->md);
	e->md = NULL;
}

struct ram_image *md_pull_image(struct md_env *e)
{
	struct ram_image *img = ram_store_image(e->io);

	md_close(e);
	return img;
}

int md_push_image(struct md_env *e, struct ram_image *img)
{
	int r;

	e->io = ram_store_open(img);
	ram_image_destroy(img);
	r = thinx_md_open(e->io, MD_BLOCK_SECTORS, false, false, &e->md);
	if (r)
		e->md = NULL;
	return r;
}

void md_crash(struct md_env *e)
{
	md_insist(!md_push_image(e, md_pull_image(e)));
}

void md_commit(struct md_env *e)
{
	md_insist(!thinx_md_commit(e->md, NULL));
}

static void leap(struct pd_sm *sm, u64 nr)
{
	u64 begin, got;

	/* It may find fewer, or none. */
	if (nr && !pd_sm_find_run(sm, nr, &begin, &got))
		pd_sm_unhold(sm, begin, begin + got);
}

void md_leap(struct md_env *e, u64 nr_data, u64 nr_meta)
{
	thinx_md_lock(e->md);
	if (!thinx_md_is_broken(e->md)) {
		leap(e->md->data_sm, nr_data);
		leap(pd_tm_sm(e->md->tm), nr_meta);
	}
	thinx_md_unlock(e->md);
}

void md_narrow(struct md_env *e, pd_block_t nr)
{
	struct pd_sm *sm = pd_tm_sm(e->md->tm);
	pd_block_t b, end, total = pd_sm_nr_blocks(sm);

	thinx_md_lock(e->md);
	for (b = 0; b + nr < total; b += PD_ENTRIES_PER_BITMAP) {
		end = b + PD_ENTRIES_PER_BITMAP - nr;
		if (end > total - nr)
			end = total - nr;
		if (b + nr < end)
			md_insist(!pd_sm_hold(sm, b + nr, end));
	}
	thinx_md_unlock(e->md);
}

/* The result of @call, made with @hook set: a variable named like it. */
#define with_hook(md, hook, context, call) ({				\
	const struct thinx_md_hooks _hooks = { .hook = hook };		\
	int _r;								\
									\
	thinx_md_set_hooks(md, &_hooks, context);			\
	_r = call;							\
	thinx_md_set_hooks(md, NULL, NULL);				\
	_r;								\
})

int md_commit_with(struct thinx_md *md, int (*start_flush)(void *context),
		   void *context)
{
	return with_hook(md, start_flush, context, thinx_md_commit(md, NULL));
}

int md_reserve_snap_with(struct thinx_md *md, int (*start_flush)(void *context),
			 void *context)
{
	return with_hook(md, start_flush, context, thinx_md_reserve_snap(md));
}

int md_delete_with(struct thinx_md *md, u32 id, int (*commit)(void *context),
		   void *context)
{
	return with_hook(md, commit, context, thinx_md_delete(md, id));
}

int md_release_snap_with(struct thinx_md *md, int (*commit)(void *context),
			 void *context)
{
	return with_hook(md, commit, context, thinx_md_release_snap(md));
}

void md_set_threshold(struct thinx_md *md, u64 blocks, void (*fn)(void *context),
		      void *context)
{
	static struct thinx_md_hooks hooks;

	hooks.space_low = fn;
	thinx_md_set_hooks(md, &hooks, context);
	thinx_md_set_threshold(md, blocks);
}

struct thinx_md_dev *md_open(struct md_env *e, u32 id)
{
	struct thinx_md_dev *dev;

	md_insist(!thinx_md_open_device(e->md, id, &dev));
	return dev;
}

struct thinx_md_dev *md_create(struct md_env *e, u32 id)
{
	md_insist(!thinx_md_create_thin(e->md, id));
	return md_open(e, id);
}

int md_try_map(struct md_env *e, struct thinx_md_dev *dev, u64 v, u64 nr)
{
	thinx_word_t m;
	u64 begin, got;
	int r = 0;

	thinx_md_lock(e->md);
	while (nr && !r) {
		u64 want = nr < THINX_MD_RUN_MAX ? nr : THINX_MD_RUN_MAX;

		r = thinx_md_find_run_locked(e->md, want, &begin, &got);
		if (r)
			break;
		md_insist(got && got <= want);
		r = thinx_md_insert_run_locked(dev, v, begin, got, &m);
		if (r)
			thinx_md_unhold_locked(e->md, begin, begin + got);
		else
			md_insist(thinx_mapping_block(m) == begin);
		v += got;
		nr -= got;
	}
	thinx_md_unlock(e->md);
	return r;
}

void md_map(struct md_env *e, struct thinx_md_dev *dev, u64 v, u64 nr)
{
	md_insist(!md_try_map(e, dev, v, nr));
}

int md_try_unmap(struct md_env *e, struct thinx_md_dev *dev, u64 begin, u64 end)
{
	struct thinx_md_removal *rm = calloc(1, sizeof(*rm));
	int r = 0, steps = 0;

	rm->begin = begin;
	rm->end = end;
	while (!r && !rm->done) {
		thinx_md_lock(e->md);
		r = thinx_md_remove_range_locked(dev, rm);
		thinx_md_unlock(e->md);
		steps++;
	}
	free(rm);
	return r ? r : steps;
}

void md_unmap(struct md_env *e, struct thinx_md_dev *dev, u64 begin, u64 end)
{
	md_insist(md_try_unmap(e, dev, begin, end) > 0);
}

struct find_one {
	u64 v;
	thinx_word_t m;
	int calls;
};

static void find_in_leaf(void *context, const struct thinx_md_leaf *l)
{
	struct find_one *f = context;
	const __le64 *keys = l->keys, *values = l->values;
	u32 i;

	f->calls++;
	md_insist(f->v >= l->begin && (!l->end || f->v < l->end));
	for (i = 0; i < l->nr; i++)
		if (le64_to_cpu(keys[i]) == f->v)
			f->m = le64_to_cpu(values[i]);
}

thinx_word_t md_get(struct thinx_md_dev *dev, u64 v)
{
	struct find_one f = { .v = v, .m = THINX_WORD_HOLE };

	md_insist(!thinx_md_lookup(dev, v, find_in_leaf, &f));
	md_insist(f.calls == 1);
	return f.m;
}

struct dump {
	FILE *f;
	u64 next;
	bool last;
	u64 most;
	/* The run so far, at most so long. */
	u64 v, nr;
	thinx_word_t m;
};

static void end_run(struct dump *d)
{
	if (!d->nr)
		return;
	fprintf(d->f, "%llu", (unsigned long long)d->v);
	if (d->nr > 1)
		fprintf(d->f, "+%llu", (unsigned long long)d->nr);
	fprintf(d->f, ">%llu@%u ",
		(unsigned long long)thinx_mapping_block(d->m),
		thinx_mapping_time(d->m));
	d->nr = 0;
}

static void dump_mapping(struct dump *d, u64 v, thinx_word_t m)
{
	if (d->nr == d->most || v != d->v + d->nr ||
	    thinx_mapping_time(m) != thinx_mapping_time(d->m) ||
	    thinx_mapping_block(m) != thinx_mapping_block(d->m) + d->nr)
		end_run(d);
	if (!d->nr) {
		d->v = v;
		d->m = m;
	}
	d->nr++;
}

static void dump_leaf(void *context, const struct thinx_md_leaf *l)
{
	struct dump *d = context;
	const __le64 *keys = l->keys, *values = l->values;
	u32 i;

	for (i = 0; i < l->nr; i++)
		if (le64_to_cpu(keys[i]) >= d->next)
			dump_mapping(d, le64_to_cpu(keys[i]),
				     le64_to_cpu(values[i]));
	d->last = !l->end;
	d->next = l->end;
}

int md_open_any(struct thinx_md *md, u32 id, struct thinx_md_dev **dev)
{
	int r = thinx_md_open_device(md, id, dev);

	if (r != -EBUSY)
		return r;
	*dev = xa_load(&md->devices, id);
	return 0;
}

void md_close_any(struct thinx_md_dev *dev)
{
	if (!dev->deleting)
		thinx_md_close_device(dev);
}

static char *dump_device(struct thinx_md *md, u32 id, u64 most)
{
	struct thinx_md_dev *dev;
	struct dump d = { .most = most };
	char *text = NULL;
	size_t size;
	int r;

	r = md_open_any(md, id, &dev);
	if (r == -ENODATA)
		return NULL;
	md_insist(!r);
	d.f = open_memstream(&text, &size);
	fprintf(d.f, "%u s%u n%llu: ", id, thinx_md_dev_snapshotted_time(dev),
		(unsigned long long)thinx_md_dev_mapped_blocks(dev));
	while (!d.last)
		md_insist(!thinx_md_lookup(dev, d.next, dump_leaf, &d));
	end_run(&d);
	fclose(d.f);
	md_close_any(dev);
	return text;
}

char *md_dump(struct thinx_md *md, u32 id)
{
	return dump_device(md, id, 1);
}

char *md_dump_runs(struct thinx_md *md, u32 id)
{
	return dump_device(md, id, ~0ULL);
}

/* ---- other programs ---- */

static char tmp_dir[64];

static void remove_tmp(void)
{
	md_shell("rm -rf %s", tmp_dir);
}

const char *md_tmp(const char *name)
{
	static char path[8][160];
	static int next;
	char *p = path[next++ % 8];

	if (!tmp_dir[0]) {
		snprintf(tmp_dir, sizeof(tmp_dir), "/tmp/thinx-test-XXXXXX");
		md_insist(mkdtemp(tmp_dir));
		atexit(remove_tmp);
	}
	snprintf(p, sizeof(path[0]), "%s/%s", tmp_dir, name);
	return p;
}

int md_shell(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;
	int status;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	status = system(cmd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

bool md_have(const char *program)
{
	return !md_shell("PATH=$PATH:/usr/sbin:/sbin command -v %s >/dev/null",
			 program);
}

/* The decoder is in the parent of the folder this file was compiled in. */
static const char *decoder(void)
{
	static char path[512];
	char *slash;

	if (!path[0]) {
		snprintf(path, sizeof(path), "%s", __FILE__);
		slash = strrchr(path, '/');
		snprintf(slash ? slash + 1 : path, 64, "../decode_thin.py");
		if (access(path, R_OK))
			snprintf(path, sizeof(path), "../decode_thin.py");
	}
	return path;
}

bool md_tools_check_image(const struct ram_image *img, bool leaks_ok)
{
	const char *out = getenv("SHIM_VERBOSE") ? "/dev/stderr" : "/dev/null";
	const char *path = md_tmp("image");
	bool checked = false;

	md_insist(!ram_image_save(img, path));
	if (md_have("thin_check")) {
		md_insist(!md_shell("PATH=$PATH:/usr/sbin thin_check %s >%s 2>&1",
				    path, out));
		checked = true;
	}
	if (md_have("python3")) {
		md_insist(!md_shell("python3 %s --strict %s -q %s >%s",
				    decoder(), leaks_ok ? "--leaks-ok" : "",
				    path, out));
		checked = true;
	}
	unlink(path);
	return checked;
}

bool md_tools_check(struct md_env *e)
{
	struct ram_image *img = ram_store_image(e->io);
	bool checked = md_tools_check_image(img, false);

	ram_image_destroy(img);
	return checked;
}

void md_poke(struct ram_image *img, pd_block_t b, u32 offset, const void *data,
	     u32 len, u32 salt)
{
	unsigned char block[PD_BLOCK_SIZE];
	__le32 csum;

	memcpy(block, ram_image_read(img, b), sizeof(block));
	memcpy(block + offset, data, len);
	csum = cpu_to_le32(pd_csum(block, salt));
	memcpy(block, &csum, sizeof(csum));
	ram_image_write(img, b, block);
}

u64 md_rnd(u64 *state)
{
	*state += 0x9e3779b97f4a7c15;
	u64 z = *state;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

u64 md_data_used(struct md_env *e)
{
	struct thinx_md_space s;

	thinx_md_get_space(e->md, &s);
	return s.data_used;
}

u64 md_meta_free(struct md_env *e)
{
	struct thinx_md_space s;

	thinx_md_get_space(e->md, &s);
	return s.meta_free;
}
