/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Reserves and limits of a pool's devices, as a file keeps them:
 *
 *   # comment
 *   device ID [reserve SIZE] [limit SIZE]
 *
 * A SIZE is bytes, or has a unit behind it: k, m, g, t, p or e, powers of 1024.
 */
#ifndef TOOLS_RULES_H
#define TOOLS_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/**
 * struct rule - of a device
 * @reserve: bytes; 0: none
 * @limit: bytes; 0: none
 */
struct rule {
	uint32_t id;
	uint64_t reserve;
	uint64_t limit;
};

/**
 * struct rules - of a pool, in order of ID
 */
struct rules {
	struct rule *rule;
	size_t nr;
};

/** parse_size() - Return: false if it is none, or too large. */
bool parse_size(const char *text, uint64_t *bytes);

/**
 * rules_read() - read a file
 * @f: it
 * @rules: empty; to be cleared in any case
 * @line: the number of the line that is wrong, if -EINVAL
 *
 * Return: 0, -EINVAL, -EIO, -ENOMEM.
 */
int rules_read(FILE *f, struct rules *rules, unsigned int *line);

/** rules_write() - as rules_read() understands it; the caller looks for errors */
void rules_write(FILE *f, const struct rules *rules);

/**
 * rules_find() - the rule of a device
 * @rules: all of them
 * @id: thin device
 * @make: one that says nothing, if there is none
 *
 * Return: NULL: there is none, or no memory.
 */
struct rule *rules_find(struct rules *rules, uint32_t id, bool make);

/** rules_clear() - free the memory */
void rules_clear(struct rules *rules);

/** blocks_of() - so many blocks are that many bytes at least */
uint64_t blocks_of(uint64_t bytes, uint64_t block_sectors);

#endif /* TOOLS_RULES_H */
