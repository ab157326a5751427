// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The worker of a volume: takes what is deferred, sorts it, merges neighbouring
 * writes into groups, learns what the metadata says about their blocks and sends
 * every bio its way.
 *
 *   deferred ─┬ gives back (noflush suspend)
 *             ├ flush ──────────────────► committer or data device
 *             ├ discard ────────────────► discard.c
 *             └ read, write ─► group ─► range ─► words ─► thinx_plan() ─► dispatch
 *
 * I1  While the gate is closed only finished updates are processed; bios stay
 *     deferred.
 * I2  A bio whose blocks have different fates is cut into pieces, all of them
 *     clones; the bio itself then does no I/O and completes after them.  So no
 *     bio is in the gate or in an update while it waits for another one.
 * I3  Memory: a group comes from kmalloc, or else from a mempool; if that is
 *     empty, too, the bio stays deferred until a group ends.  So do pieces, and
 *     what is left of the bio: only this worker ends the updates that hold others.
 */
#include "data-path/slow-path.h"

#include <linux/delay.h>
#include <linux/device-mapper.h>
#include <linux/list_sort.h>
#include <linux/slab.h>

#include "dm-thinx.h"
#include "include/compat/bio.h"
#include "include/trace/events/thinx.h"

/* Groups decided about in one hold of the metadata lock. */
#define GROUPS_PER_PASS 64

/*
 * The count of free blocks comes from the metadata device and may be wrong; after
 * so many passes that found none it is not believed any more.
 */
#define MAX_FRUITLESS 16

/* Rounds before the work item lets others have its thread. */
#define ROUNDS_PER_RUN 16

size_t thinx_group_size(unsigned int nr)
{
	return offsetof(struct thinx_group, blocks) +
	       nr * sizeof(struct thinx_group_block);
}

void thinx_group_put(struct thinx_group *g)
{
	struct thinx_volume *v = g->volume;
	struct thinx_plane *plane = v->plane;

	if (!atomic_dec_and_test(&g->refs))
		return;
	thinx_volume_unlock_range(v, &g->range);
	if (g->pooled)
		mempool_free(g, &plane->groups);
	else
		kfree(g);
	thinx_plane_idle(plane);
}

static struct thinx_group *alloc_group(struct thinx_volume *v, u32 nr)
{
	struct thinx_plane *plane = v->plane;
	struct thinx_group *g;
	bool pooled = false;

	g = kmalloc(thinx_group_size(nr),
		    GFP_NOIO | __GFP_NORETRY | __GFP_NOWARN);
	if (!g) {
		g = mempool_alloc(&plane->groups, GFP_NOWAIT);
		pooled = true;
	}
	if (!g)
		return NULL;
	g->volume = v;
	g->nr = nr;
	g->pooled = pooled;
	atomic_set(&g->refs, 1);
	INIT_LIST_HEAD(&g->bios);
	thinx_plane_busy(plane);
	return g;
}

/* A group that holds no range and has no bios. */
static void free_unused_group(struct thinx_group *g)
{
	struct thinx_plane *plane = g->volume->plane;

	if (g->pooled)
		mempool_free(g, &plane->groups);
	else
		kfree(g);
	thinx_plane_idle(plane);
}

/* ---- blocks of a bio ---- */

static thinx_vblock_t first_block(struct thinx_plane *plane, struct bio *bio)
{
	u32 offset;

	return thinx_plane_block(plane, bio->bi_iter.bi_sector, &offset);
}

static thinx_vblock_t end_block(struct thinx_plane *plane, struct bio *bio)
{
	u32 offset;

	return thinx_plane_block(plane, bio_end_sector(bio) - 1, &offset) + 1;
}

/* ---- learning ---- */

struct learn_context {
	struct thinx_group *g;
	u32 index;
};

static void learn_from_leaf(void *context, const struct thinx_md_leaf *l)
{
	struct learn_context *c = context;
	struct thinx_group *g = c->g;
	const __le64 *keys = l->keys, *values = l->values;
	thinx_vblock_t b;
	u32 i, k = 0;

	for (i = c->index; i < g->nr; i++) {
		b = g->begin + i;
		if (l->end && b >= l->end)
			break;
		while (k < l->nr && le64_to_cpu(keys[k]) < b)
			k++;
		if (k < l->nr && le64_to_cpu(keys[k]) == b)
			g->blocks[i].word = le64_to_cpu(values[k]);
		else
			g->blocks[i].word = THINX_MAP_HOLE;
		/* We hold the range: the word is ours to store. */
		thinx_map_cache_set(&g->volume->cache, b, 1, g->blocks[i].word);
	}
	thinx_map_cache_fill_leaf(&g->volume->cache, g->begin + c->index,
				  l->begin, l->end, l->nr, keys, values,
				  U64_MAX);
}

/* Find out about every block of the group. */
static int learn(struct thinx_group *g)
{
	struct thinx_volume *v = g->volume;
	struct learn_context c = { .g = g };
	u32 i;
	int r;

	for (i = 0; i < g->nr; i++)
		g->blocks[i].word = thinx_map_cache_get(&v->cache,
							g->begin + i);
	for (i = 0; i < g->nr; i++) {
		if (g->blocks[i].word != THINX_MAP_UNKNOWN)
			continue;
		c.index = i;
		r = thinx_md_lookup(v->dev, g->begin + i, learn_from_leaf, &c);
		if (r == -EUCLEAN)
			return r;
		if (r) {
			DMERR_LIMIT("%s: thin device %u: look-up of block %llu failed: error = %d",
				    v->plane->name, v->id,
				    (unsigned long long)(g->begin + i), r);
			return r;
		}
		if (WARN_ON_ONCE(g->blocks[i].word == THINX_MAP_UNKNOWN))
			return -EIO;
	}
	return 0;
}

/* ---- dispatching ---- */

static void piece_end_io(struct bio *piece)
{
	struct thinx_bio *tb =
		&container_of(piece, struct thinx_piece, bio)->state;
	struct thinx_plane *plane = tb->port->volume->plane;
	struct bio *parent = tb->parent;

	if (thinx_bio_done(plane, tb, piece->bi_status))
		return;
	if (piece->bi_status && !parent->bi_status)
		parent->bi_status = piece->bi_status;
	bio_put(piece);
	atomic_dec(&plane->nr_pieces);
	bio_endio(parent);
}

void thinx_bio_submit(struct thinx_bio *tb, struct bio *bio)
{
	if (tb->is_piece)
		submit_bio_noacct(bio);
	else
		dm_submit_bio_remap(bio, NULL);
}

/* A clone of the first @nr_sectors sectors of @bio, or NULL; see I3. */
static struct bio *make_piece(struct thinx_bio *tb, struct bio *bio,
			      u32 nr_sectors)
{
	struct thinx_plane *plane = tb->port->volume->plane;
	struct thinx_bio *state;
	struct bio *piece;
	gfp_t gfp;

	gfp = thinx_reserve_gfp(atomic_inc_return(&plane->nr_pieces),
				THINX_MIN_PIECES);
	/* Who submits it says where to. */
	piece = bio_alloc_clone(bio->bi_bdev, bio, gfp, &plane->pieces);
	if (!piece) {
		atomic_dec(&plane->nr_pieces);
		return NULL;
	}
	piece->bi_iter.bi_size = nr_sectors << SECTOR_SHIFT;
	piece->bi_end_io = piece_end_io;
	state = thinx_bio_state(plane, piece);
	memset(state, 0, sizeof(*state));
	state->port = tb->port;
	state->parent = bio;
	state->is_piece = true;
	bio_inc_remaining(bio);
	return piece;
}

/* Do two neighbouring blocks go the same way, so that one bio can cross? */
static bool same_way(const struct thinx_group_block *a,
		     const struct thinx_group_block *b)
{
	if (a->fate != b->fate)
		return false;
	switch (a->fate) {
	case THINX_IN_PLACE:
		return thinx_mapping_block(a->word) + 1 ==
		       thinx_mapping_block(b->word);
	case THINX_UPDATE:
		return a->update == b->update;
	default:
		return true;
	}
}

/*
 * May the bio, inside the gate now, use what the group learned?  The gate may have
 * been closed since: for a snapshot that made the block shared, or for an abort
 * that took the mapping back; then the bio is to try again.
 */
static bool still_true(struct thinx_group *g, struct bio *bio, u64 word)
{
	struct thinx_volume *v = g->volume;

	if (g->nr_aborts != READ_ONCE(v->plane->nr_aborts))
		return false;
	return bio_data_dir(bio) == READ ||
	       thinx_mapping_time(word) >= thinx_md_dev_snapshotted_time(v->dev);
}

/* Like map(), no write may be called durable after the volume lost some. */
static bool is_refused(struct thinx_volume *v, struct bio *bio)
{
	return !(thinx_plane_caps(v->plane) & THINX_CAN_MAP) ||
	       ((bio->bi_opf & REQ_FUA) && thinx_md_dev_lost_changes(v->dev));
}

/* Submit to an existing mapping. */
static void submit_in_place(struct thinx_group *g, struct thinx_bio *tb,
			    struct bio *bio, u64 word, u32 offset)
{
	struct thinx_volume *v = g->volume;
	struct thinx_plane *plane = v->plane;
	bool refused;

	tb->in_gate = thinx_gate_enter(&v->gate, &tb->epoch);
	if (!tb->in_gate) {
		thinx_volume_defer(v, tb);
		return;
	}
	refused = is_refused(v, bio);
	if (refused || !still_true(g, bio, word)) {
		tb->in_gate = false;
		thinx_gate_leave(&v->gate, tb->epoch);
		if (refused)
			bio_io_error(bio);
		else
			thinx_volume_defer(v, tb);
		return;
	}
	tb->await_commit = (bio->bi_opf & REQ_FUA) &&
			   thinx_md_dev_is_dirty(v->dev);
	bio_set_dev(bio, plane->data_bdev);
	bio->bi_iter.bi_sector =
		thinx_plane_sector(plane, thinx_mapping_block(word)) + offset;
	thinx_bio_submit(tb, bio);
}

/*
 * No data block was free.  Hold the bio if something may change that; the
 * capabilities are looked at under the lock that thinx_plane_retry_starved()
 * takes after they changed, so that nobody is forgotten.
 */
static void starve(struct thinx_volume *v, struct thinx_bio *tb,
		   struct bio *bio)
{
	unsigned long flags;
	unsigned int caps;

	spin_lock_irqsave(&v->lock, flags);
	caps = thinx_plane_caps(v->plane);
	if (thinx_port_requeues(tb->port)) {
		spin_unlock_irqrestore(&v->lock, flags);
		thinx_bio_end(bio, BLK_STS_DM_REQUEUE);
		return;
	}
	if (caps & (THINX_CAN_PROVISION | THINX_NO_SPACE_HOLD)) {
		list_add_tail(&tb->list, &v->starved);
		bio = NULL;
	}
	spin_unlock_irqrestore(&v->lock, flags);
	if (bio)
		thinx_bio_end(bio, caps & THINX_NO_SPACE_ERROR ?
			      BLK_STS_NOSPC : BLK_STS_IOERR);
}

/**
 * struct pass - what became of the bios of one pass
 * @starved: one found no free data block
 * @no_memory: one is deferred again for want of memory
 */
struct pass {
	bool starved;
	bool no_memory;
};

static void send(struct thinx_group *g, struct thinx_bio *tb, struct bio *bio,
		 u32 index, u32 offset, struct pass *pass)
{
	struct thinx_group_block *blk = &g->blocks[index];

	switch (blk->fate) {
	case THINX_IN_PLACE:
		submit_in_place(g, tb, bio, blk->word, offset);
		break;
	case THINX_HOLE:
		if (thinx_bio_read_hole(tb->port, bio))
			thinx_bio_submit(tb, bio);
		else
			bio_endio(bio);
		break;
	case THINX_UPDATE:
		list_add_tail(&tb->list, &blk->update->bios);
		break;
	case THINX_STARVED:
		pass->starved = true;
		starve(g->volume, tb, bio);
		break;
	case THINX_REFUSED:
		bio_io_error(bio);
		break;
	}
}

/*
 * Cut the bio where the fate of its blocks changes and send the pieces off.  What
 * no piece could be made for is tried again; updates fill in what it would have
 * written, as they do for any block that is not covered.
 */
static void dispatch_bio(struct thinx_group *g, struct thinx_bio *tb,
			 struct pass *pass)
{
	struct thinx_plane *plane = g->volume->plane;
	struct bio *bio = thinx_bio_of(tb), *piece;
	u32 offset, first, index, nr_sectors;
	bool last;

	do {
		index = thinx_plane_block(plane, bio->bi_iter.bi_sector,
					  &offset) - g->begin;
		first = index;
		nr_sectors = plane->block_sectors - offset;
		while (nr_sectors < bio_sectors(bio) &&
		       same_way(&g->blocks[index], &g->blocks[index + 1])) {
			nr_sectors += plane->block_sectors;
			index++;
		}
		last = nr_sectors >= bio_sectors(bio);
		if (last && !tb->is_cut) {
			send(g, tb, bio, first, offset, pass);
			return;
		}
		nr_sectors = min(nr_sectors, bio_sectors(bio));
		piece = make_piece(tb, bio, nr_sectors);
		if (!piece) {
			thinx_volume_defer(g->volume, tb);
			pass->no_memory = true;
			return;
		}
		tb->is_cut = true;
		if (!last)
			bio_advance(bio, nr_sectors << SECTOR_SHIFT);
		send(g, thinx_bio_state(plane, piece), piece, first, offset,
		     pass);
	} while (!last);
	bio_endio(bio);
}

static void dispatch_group(struct thinx_group *g, struct pass *pass)
{
	struct thinx_bio *tb, *tmp;
	u32 i;

	list_for_each_entry_safe(tb, tmp, &g->bios, list) {
		list_del(&tb->list);
		dispatch_bio(g, tb, pass);
	}
	for (i = 0; i < g->nr; i++)
		if (g->blocks[i].fate == THINX_UPDATE &&
		    g->blocks[i].update == &g->blocks[i].own)
			thinx_update_start(&g->blocks[i].own);
	thinx_group_put(g);
}

static void decide_reads(struct thinx_group *g)
{
	u32 i;

	for (i = 0; i < g->nr; i++)
		g->blocks[i].fate = g->blocks[i].word == THINX_MAP_HOLE ?
			THINX_HOLE : THINX_IN_PLACE;
}

/*
 * Writes found no free data block: some may come free with a commit or when
 * discards have reached the data device; else the pool is full.
 */
static void ask_for_space(struct thinx_plane *plane)
{
	struct thinx_md_space s;
	bool sure;

	if (!(thinx_plane_caps(plane) & THINX_CAN_PROVISION))
		return;
	thinx_md_get_space(plane->md, &s);
	sure = atomic_read(&plane->fruitless) > MAX_FRUITLESS;
	if (s.data_pending || thinx_passdown_pending(plane) ||
	    (s.data_allocatable && !sure))
		thinx_commit_for_space(plane);
	else
		plane->ops->no_data_space(plane->context, sure);
}

/* Returns true if a bio is deferred again, for want of memory. */
static bool run_groups(struct thinx_volume *v, struct list_head *groups)
{
	struct thinx_group *g, *tmp;
	struct pass pass = { };
	struct blk_plug plug;

	if (list_empty(groups))
		return false;
	thinx_plan(v, groups);
	blk_start_plug(&plug);
	list_for_each_entry_safe(g, tmp, groups, list) {
		list_del(&g->list);
		if (!g->is_write)
			decide_reads(g);
		dispatch_group(g, &pass);
	}
	blk_finish_plug(&plug);
	if (pass.starved)
		ask_for_space(v->plane);
	return pass.no_memory;
}

/* ---- forming groups ---- */

/* All bios of a group have the same port, so that they have the same origin. */
static bool can_join(struct thinx_plane *plane, const struct thinx_group *g,
		     thinx_vblock_t end, struct thinx_bio *tb)
{
	struct bio *bio = thinx_bio_of(tb);

	return tb->port == g->port &&
	       bio_op(bio) == REQ_OP_WRITE && !(bio->bi_opf & REQ_PREFLUSH) &&
	       first_block(plane, bio) <= end &&
	       end_block(plane, bio) - g->begin <= THINX_GROUP_BLOCKS;
}

/*
 * The group cannot be decided about.  If that is because a change failed half way
 * an abort is coming, after which the metadata answer again: try then.
 */
static void give_up_group(struct thinx_group *g, int r)
{
	struct thinx_bio *tb, *tmp;

	list_for_each_entry_safe(tb, tmp, &g->bios, list) {
		list_del(&tb->list);
		if (r == -EUCLEAN)
			thinx_volume_defer(g->volume, tb);
		else
			thinx_bio_end(thinx_bio_of(tb),
				      errno_to_blk_status(r));
	}
	if (r == -EUCLEAN)
		usleep_range(1000, 2000);
	thinx_group_put(g);
}

/*
 * How many blocks do the first write and those that adjoin it cover?  Reads
 * stay single: they need no data blocks, so nothing is won.
 */
static thinx_vblock_t group_end(struct thinx_plane *plane,
				struct list_head *todo, struct thinx_group *g,
				struct thinx_bio **last)
{
	struct thinx_bio *tb = list_first_entry(todo, struct thinx_bio, list);
	thinx_vblock_t end = end_block(plane, thinx_bio_of(tb));

	*last = tb;
	if (!g->is_write)
		return end;
	list_for_each_entry_continue(tb, todo, list) {
		if (!can_join(plane, g, end, tb))
			break;
		end = max(end, end_block(plane, thinx_bio_of(tb)));
		*last = tb;
	}
	return end;
}

/*
 * Form a group from the front of @todo, lock its range and learn.  Returns
 * false if there is no memory; the bios are still in @todo then.
 */
static bool form_group(struct thinx_volume *v, struct list_head *todo,
		       struct list_head *groups)
{
	struct thinx_bio *tb = list_first_entry(todo, struct thinx_bio, list);
	struct thinx_bio *last;
	struct thinx_plane *plane = v->plane;
	struct bio *bio = thinx_bio_of(tb);
	struct thinx_group probe, *g;
	thinx_vblock_t end;
	int r;

	probe.is_write = bio_data_dir(bio) == WRITE;
	probe.port = tb->port;
	probe.begin = first_block(plane, bio);
	end = group_end(plane, todo, &probe, &last);
	g = alloc_group(v, end - probe.begin);
	if (!g)
		return false;
	g->is_write = probe.is_write;
	g->port = probe.port;
	g->begin = probe.begin;
	/* Pairs with thinx_plane_abort(). */
	g->nr_aborts = smp_load_acquire(&plane->nr_aborts);

	/*
	 * If somebody holds part of the range only the first bio waits there;
	 * the others are tried again by themselves.
	 */
	if (last != tb &&
	    thinx_range_is_held(&v->ranges, g->begin, end)) {
		last = tb;
		end = end_block(plane, bio);
		g->nr = end - g->begin;
	}
	list_cut_position(&g->bios, todo, &last->list);
	if (last == tb)
		list_del_init(&tb->list);
	if (!thinx_range_lock_or_wait(&v->ranges, &g->range,
				      last == tb ? &tb->waiter : NULL,
				      g->begin, end)) {
		if (last != tb)
			list_splice(&g->bios, todo);
		free_unused_group(g);
		return true;
	}
	if (last == tb)
		list_add(&tb->list, &g->bios);

	trace_thinx_group(plane->dev, v->id, g->begin, g->nr,
			  g->is_write);
	r = learn(g);
	if (r)
		give_up_group(g, r);
	else
		list_add_tail(&g->list, groups);
	return true;
}

/* ---- the worker ---- */

static int by_sector(void *priv, const struct list_head *a,
		     const struct list_head *b)
{
	struct bio *x = thinx_bio_of(list_entry(a, struct thinx_bio, list));
	struct bio *y = thinx_bio_of(list_entry(b, struct thinx_bio, list));

	return x->bi_iter.bi_sector > y->bi_iter.bi_sector;
}

static void take_deferred(struct thinx_volume *v, struct list_head *todo)
{
	struct thinx_bio *tb, *tmp;
	bool dead = !(thinx_plane_caps(v->plane) & THINX_CAN_MAP);

	spin_lock_irq(&v->lock);
	list_splice_init(&v->deferred, todo);
	spin_unlock_irq(&v->lock);

	list_for_each_entry_safe(tb, tmp, todo, list) {
		if (dead) {
			list_del(&tb->list);
			bio_io_error(thinx_bio_of(tb));
		} else if (thinx_port_requeues(tb->port)) {
			list_del(&tb->list);
			thinx_bio_end(thinx_bio_of(tb), BLK_STS_DM_REQUEUE);
		}
	}
}

static void put_back(struct thinx_volume *v, struct list_head *todo)
{
	spin_lock_irq(&v->lock);
	list_splice_init(todo, &v->deferred);
	spin_unlock_irq(&v->lock);
}

/* Returns true if the worker should run again although nobody kicks it. */
static bool process_deferred(struct thinx_volume *v)
{
	LIST_HEAD(todo);
	LIST_HEAD(groups);
	LIST_HEAD(discards);
	bool again = false;
	unsigned int nr = 0;

	take_deferred(v, &todo);
	if (thinx_gate_is_closed(&v->gate)) {
		put_back(v, &todo);
		return false;
	}
	list_sort(NULL, &todo, by_sector);

	while (!list_empty(&todo)) {
		struct thinx_bio *tb =
			list_first_entry(&todo, struct thinx_bio, list);
		struct bio *bio = thinx_bio_of(tb);

		if (bio->bi_opf & REQ_PREFLUSH) {
			list_del(&tb->list);
			/* It met a closed gate. */
			thinx_flush(v, tb);
		} else if (bio_op(bio) == REQ_OP_DISCARD) {
			list_del(&tb->list);
			thinx_discard_start(v, tb, &discards);
		} else if (!form_group(v, &todo, &groups)) {
			put_back(v, &todo);
			again = true;
		} else if (++nr >= GROUPS_PER_PASS) {
			again |= run_groups(v, &groups);
			nr = 0;
		}
	}
	again |= run_groups(v, &groups);
	thinx_discards_drain(v, &discards);
	return again;
}

/*
 * Fast devices have ended the I/O of an update when its submission returns, so
 * there is often something prepared again at once.
 */
void thinx_volume_work(struct work_struct *work)
{
	struct thinx_volume *v = container_of(work, struct thinx_volume, work);
	bool starving_for_memory, more;
	unsigned int round = 0;

	thinx_plane_busy(v->plane);
	do {
		thinx_process_prepared(v);
		starving_for_memory = process_deferred(v);
		more = thinx_process_discards(v);
		cond_resched();
	} while (++round < ROUNDS_PER_RUN && !starving_for_memory &&
		 !list_empty_careful(&v->prepared));
	thinx_plane_idle(v->plane);
	if (starving_for_memory)
		usleep_range(1000, 2000);
	if (starving_for_memory || more || !list_empty_careful(&v->prepared))
		thinx_volume_kick(v);
}
