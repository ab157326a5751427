// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Status and table lines of a pool, byte for byte what dm-thin prints.
 */
#include "control/status.h"

#include <linux/device-mapper.h>

#include "control/mode.h"
#include "data-path/commit.h"
#include "include/compat/dm-private.h"

static u64 metadata_used(const struct thinx_md_space *s)
{
	u64 usable = s->meta_free > s->meta_reserve ?
		s->meta_free - s->meta_reserve : 0;

	return s->meta_total - usable;
}

static const char *mode_word(struct thinx_pool *pool)
{
	switch (thinx_pool_mode(pool)) {
	case THINX_MODE_WRITE:
		return "rw ";
	case THINX_MODE_OUT_OF_DATA_SPACE:
		return "out_of_data_space ";
	default:
		return "ro ";
	}
}

static const char *discard_word(struct thinx_pool_target *pt)
{
	if (!pt->requested.discard)
		return "ignore_discard ";
	return READ_ONCE(pt->passdown) ? "discard_passdown " : "no_discard_passdown ";
}

static unsigned int emit_info(struct thinx_pool_target *pt, char *result,
			      unsigned int maxlen)
{
	struct thinx_pool *pool = pt->pool;
	struct thinx_md_space s;
	unsigned int sz = 0;
	u64 held_root;

	if (thinx_pool_mode(pool) == THINX_MODE_FAIL) {
		DMEMIT("Fail");
		return sz;
	}
	thinx_md_get_space(pool->md, &s);
	held_root = thinx_md_held_root(pool->md);

	DMEMIT("%llu %llu/%llu %llu/%llu ",
	       (unsigned long long)thinx_md_transaction_id(pool->md),
	       (unsigned long long)metadata_used(&s),
	       (unsigned long long)s.meta_total,
	       (unsigned long long)s.data_used,
	       (unsigned long long)s.data_total);
	if (held_root)
		DMEMIT("%llu ", (unsigned long long)held_root);
	else
		DMEMIT("- ");
	DMEMIT("%s%s%s%s%llu ", mode_word(pool), discard_word(pt),
	       READ_ONCE(pool->error_if_no_space) ? "error_if_no_space " :
						    "queue_if_no_space ",
	       thinx_md_needs_check(pool->md) ? "needs_check " : "- ",
	       (unsigned long long)thinx_pool_metadata_threshold(pool));
	return sz;
}

static unsigned int emit_table(struct thinx_pool_target *pt, char *result,
			       unsigned int maxlen)
{
	const struct thinx_features *f = &pt->requested;
	unsigned int sz = 0;

	DMEMIT("%s %s %u %llu %u ", pt->metadata->name, pt->data->name,
	       pt->pool->block_sectors, (unsigned long long)pt->low_water,
	       thinx_features_count(f));
	if (!f->zero_new)
		DMEMIT("skip_block_zeroing ");
	if (!f->discard)
		DMEMIT("ignore_discard ");
	if (!f->passdown)
		DMEMIT("no_discard_passdown ");
	if (f->read_only)
		DMEMIT("read_only ");
	if (f->error_if_no_space)
		DMEMIT("error_if_no_space ");
	return sz;
}

void thinx_pool_status(struct dm_target *ti, status_type_t type,
		       unsigned int flags, char *result, unsigned int maxlen)
{
	struct thinx_pool_target *pt = ti->private;

	switch (type) {
	case STATUSTYPE_INFO:
		/* Exact numbers, unless the caller cares more about speed. */
		if (!(flags & THINX_STATUS_NOFLUSH) && !dm_suspended(ti)) {
			thinx_commit_surely(&pt->pool->plane);
			/* Somebody else's commit may have freed blocks. */
			thinx_pool_space_changed(pt->pool);
		}
		emit_info(pt, result, maxlen);
		break;
	case STATUSTYPE_TABLE:
		emit_table(pt, result, maxlen);
		break;
	default:
		*result = '\0';
		break;
	}
}
