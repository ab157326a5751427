/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The message that discards free data blocks.
 */
#ifndef THINX_POOL_TRIM_H
#define THINX_POOL_TRIM_H

#include "control/pool-types.h"

struct task_struct;

/**
 * struct thinx_reply - where the answer to a message goes, and who waits for it
 * @text: buffer
 * @size: its size
 * @sender: who sent the message
 * @epoch: thinx_pool.message_epoch that it belongs to
 */
struct thinx_reply {
	char *text;
	unsigned int size;
	struct task_struct *sender;
	unsigned int epoch;
};

/**
 * thinx_pool_trim() - trim [FROM MAX]
 * @pool: pool
 * @argc: number of words, the name included
 * @argv: words
 * @reply: for the answer
 *
 * Context: May sleep; no locks held.
 * Return: 1: answered; -EINVAL, -ENOMEM, -EBUSY suspended, -EOPNOTSUPP the data
 * device takes no discards, -EINTR the sender is being killed; what
 * thinx_commit_now() and thinx_trim_step() return.  All are logged but -EINTR,
 * -ENOMEM, and changes of the mode.
 */
int __must_check thinx_pool_trim(struct thinx_pool *pool, unsigned int argc,
				 char **argv, struct thinx_reply *reply);

#endif /* THINX_POOL_TRIM_H */
