/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * The space map of the metadata device itself; for transaction.c only.
 */
#ifndef PD_SPACE_MAP_METADATA_H
#define PD_SPACE_MAP_METADATA_H

#include "pd-types.h"

struct pd_sm;
struct pd_tm;
struct pd_validator;

extern const struct pd_validator pd_sm_index_validator;

/**
 * pd_sm_metadata_create() - format the metadata map
 * @tm: transaction manager; pd_tm_sm() returns the map before anything is
 *	allocated
 * @result: where pd_tm_sm() looks
 *
 * Return: 0, -ENOMEM, -EIO, -ENOSPC device too small.  On error @result is
 * NULL or a map to destroy.
 */
int __must_check pd_sm_metadata_create(struct pd_tm *tm, struct pd_sm **result);

/**
 * pd_sm_metadata_open() - open a committed metadata map
 * @tm: transaction manager
 * @root: 32 bytes of the superblock
 * @result: where pd_tm_sm() looks; see pd_sm_metadata_create()
 *
 * Return: 0, -ENOMEM, -EIO, -EILSEQ, -ENOTBLK, -EINVAL damaged root.
 */
int __must_check pd_sm_metadata_open(struct pd_tm *tm, const void *root,
				     struct pd_sm **result);

/**
 * pd_sm_metadata_close() - pd_sm_close() for the metadata map
 * @sm: the metadata map
 * @root: 32 bytes for the superblock
 *
 * Return: 0, or any error of shadowing: the transaction must be aborted.
 */
int __must_check pd_sm_metadata_close(struct pd_sm *sm, void *root);

#endif /* PD_SPACE_MAP_METADATA_H */
