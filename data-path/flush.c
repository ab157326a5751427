// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Where an empty flush goes.
 *
 *   gate closed ──────────► deferred, judged anew
 *   changes were lost ────► fails
 *   uncommitted changes ──► committer
 *   none ─────────────────► the data device's own flush
 */
#include "data-path/flush.h"

#include "data-path/commit.h"

/*
 * If no change of the volume waits for a commit, the data device's own flush is
 * enough.
 */
enum thinx_flush_way thinx_flush_way(struct thinx_bio *tb)
{
	struct thinx_volume *v = tb->port->volume;

	if (!thinx_bio_enter_gate(v, tb))
		return THINX_FLUSH_WAIT;
	if (!(thinx_plane_caps(v->plane) & THINX_CAN_MAP) ||
	    thinx_md_dev_lost_changes(v->dev)) {
		thinx_bio_leave_gate(v, tb);
		return THINX_FLUSH_LOST;
	}
	if (thinx_md_dev_is_dirty(v->dev)) {
		thinx_bio_leave_gate(v, tb);
		return THINX_FLUSH_COMMIT;
	}
	return THINX_FLUSH_DOWN;
}

void thinx_flush(struct thinx_bio *tb)
{
	struct thinx_plane *plane = tb->port->volume->plane;
	struct bio *bio = thinx_bio_of(tb);

	switch (thinx_flush_way(tb)) {
	case THINX_FLUSH_LOST:
		bio_io_error(bio);
		break;
	case THINX_FLUSH_COMMIT:
		thinx_commit_queue(plane, bio);
		break;
	case THINX_FLUSH_DOWN:
		bio_set_dev(bio, plane->data_bdev);
		thinx_bio_submit(tb, bio);
		break;
	default:
		thinx_bio_defer(tb);
		break;
	}
}
