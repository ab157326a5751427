/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * What every test of the metadata façade needs: a pool in memory, short ways to
 * map and unmap, a dump to compare, and the external checkers.
 */
#ifndef MD_ENV_H
#define MD_ENV_H

#include "dm-thinx-metadata.h"
#include "include/pd-format.h"
#include "tests/stores/stores.h"

#include <linux/types.h>
#include <stdbool.h>

#define MD_BLOCK_SECTORS 128

struct md_env {
	struct pd_block_io *io;
	struct thinx_md *md;
};

/* The program ends if @what is false. */
#define md_insist(what) md_insist_at(what, #what, __FILE__, __LINE__)
void md_insist_at(bool what, const char *text, const char *file, int line);

/* Format @nr_meta blocks, size the data space, commit. */
void md_begin(struct md_env *e, pd_block_t nr_meta, u64 nr_data);

/* Check and close. */
void md_end(struct md_env *e);

/* Close without a check, e.g. after damage. */
void md_close(struct md_env *e);

/* Crash: forget everything that is not on the device, open again. */
void md_crash(struct md_env *e);

/* The same in two steps, to edit the image; returns thinx_md_open()'s result. */
struct ram_image *md_pull_image(struct md_env *e);
int md_push_image(struct md_env *e, struct ram_image *img);

void md_commit(struct md_env *e);

/*
 * Have the next blocks come from elsewhere: up to a bitmap's worth of data and
 * of metadata blocks is skipped.
 */
void md_leap(struct md_env *e, u64 nr_data, u64 nr_meta);

/*
 * Use of the metadata device only @nr blocks around each border between two
 * bitmaps, and the first and the last @nr; until the next abort.
 */
void md_narrow(struct md_env *e, pd_block_t nr);

/* The same with one hook set, for this call alone. */
int md_commit_with(struct thinx_md *md, int (*start_flush)(void *context),
		   void *context);
int md_reserve_snap_with(struct thinx_md *md, int (*start_flush)(void *context),
			 void *context);
int md_delete_with(struct thinx_md *md, u32 id, int (*commit)(void *context),
		   void *context);
int md_release_snap_with(struct thinx_md *md, int (*commit)(void *context),
			 void *context);

/* The hook stays set. */
void md_set_threshold(struct thinx_md *md, u64 blocks, void (*fn)(void *context),
		      void *context);
void md_check(struct md_env *e);

struct thinx_md_dev *md_open(struct md_env *e, u32 id);

/* A device with nothing mapped; opened. */
struct thinx_md_dev *md_create(struct md_env *e, u32 id);

/* Map [v, v + nr), whatever was there before. */
int md_try_map(struct md_env *e, struct thinx_md_dev *dev, u64 v, u64 nr);
void md_map(struct md_env *e, struct thinx_md_dev *dev, u64 v, u64 nr);

/* Unmap [begin, end); returns how many steps it took, or -errno. */
int md_try_unmap(struct md_env *e, struct thinx_md_dev *dev, u64 begin,
		 u64 end);
void md_unmap(struct md_env *e, struct thinx_md_dev *dev, u64 begin, u64 end);

/* THINX_WORD_HOLE if nothing is mapped. */
thinx_word_t md_get(struct thinx_md_dev *dev, u64 v);

/* Open a device; one that is being deleted is lent.  -ENODATA */
int md_open_any(struct thinx_md *md, u32 id, struct thinx_md_dev **dev);
void md_close_any(struct thinx_md_dev *dev);

/*
 * All mappings of device @id as text, to compare; NULL if there is no such
 * device.  The caller frees it.  The second one joins neighbours: "v+n>d@t".
 */
char *md_dump(struct thinx_md *md, u32 id);
char *md_dump_runs(struct thinx_md *md, u32 id);

/*
 * Have thin_check and tests/decode_thin.py --strict check what is on the device;
 * the program ends if one of them objects.  False: there are no tools, nothing
 * was checked.
 */
bool md_tools_check(struct md_env *e);
bool md_tools_check_image(const struct ram_image *img, bool leaks_ok);

/* Run a shell command; returns its exit status. */
int md_shell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Is a program installed? */
bool md_have(const char *program);

/* A file name in a temporary folder of this process, removed at exit. */
const char *md_tmp(const char *name);

/* Change a block of an image and seal it again. */
void md_poke(struct ram_image *img, pd_block_t b, u32 offset, const void *data,
	     u32 len, u32 salt);

u64 md_rnd(u64 *state);

/* Data blocks in use, and metadata blocks that are not. */
u64 md_data_used(struct md_env *e);
u64 md_meta_free(struct md_env *e);

#endif /* MD_ENV_H */
