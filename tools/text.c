// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See text.h.  Everything is read through a cursor that advances only past what it
 * has understood.
 */
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

static void skip_blanks(const char **p)
{
	while (**p == ' ')
		(*p)++;
}

static bool at_end_of_line(const char *p)
{
	return !*p || *p == '\n';
}

static bool take_number(const char **p, uint64_t *n)
{
	unsigned long long v;
	char *end;

	skip_blanks(p);
	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	v = strtoull(*p, &end, 10);
	if (errno)
		return false;
	*n = v;
	*p = end;
	return true;
}

static bool take_char(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* The next word, which must fit. */
static bool take_word(const char **p, char *word, size_t size)
{
	size_t n;

	skip_blanks(p);
	n = strcspn(*p, "\n ");
	if (!n || n >= size)
		return false;
	memcpy(word, *p, n);
	word[n] = '\0';
	*p += n;
	return true;
}

static bool take_id(const char **p, uint32_t *id)
{
	uint64_t n;

	if (!take_number(p, &n) || n > UINT32_MAX)
		return false;
	*id = n;
	return true;
}

static bool take_device(const char **p, unsigned int *major, unsigned int *minor)
{
	return take_id(p, major) && take_char(p, ':') && take_id(p, minor);
}

static bool take_pair(const char **p, uint64_t *a, uint64_t *b)
{
	return take_number(p, a) && take_char(p, '/') && take_number(p, b);
}

/* ---- tables and status lines ---- */

bool parse_pool_table(const char *text, struct pool_table *t)
{
	return take_device(&text, &t->meta_major, &t->meta_minor) &&
	       take_device(&text, &t->data_major, &t->data_minor) &&
	       take_number(&text, &t->block_sectors) && t->block_sectors;
}

bool parse_thin_table(const char *text, struct thin_table *t)
{
	if (!take_device(&text, &t->pool_major, &t->pool_minor) ||
	    !take_id(&text, &t->id))
		return false;
	if (!take_word(&text, t->origin, sizeof(t->origin)))
		t->origin[0] = '\0';
	return true;
}

bool parse_pool_status(const char *text, struct pool_status *s)
{
	char held[24], check[24];

	memset(s, 0, sizeof(*s));
	if (!strncmp(text, "Fail", 4)) {
		s->failed = true;
		strcpy(s->mode, "fail");
		return true;
	}
	if (!take_number(&text, &s->transaction) ||
	    !take_pair(&text, &s->meta_used, &s->meta_total) ||
	    !take_pair(&text, &s->data_used, &s->data_total) ||
	    !take_word(&text, held, sizeof(held)) ||
	    !take_word(&text, s->mode, sizeof(s->mode)) ||
	    !take_word(&text, s->discard, sizeof(s->discard)) ||
	    !take_word(&text, s->no_space, sizeof(s->no_space)))
		return false;
	s->needs_check = take_word(&text, check, sizeof(check)) &&
			 !strcmp(check, "needs_check");
	return true;
}

bool parse_thin_status(const char *text, struct thin_status *s)
{
	uint64_t highest;

	memset(s, 0, sizeof(*s));
	if (!strncmp(text, "Fail", 4) || !strncmp(text, "Error", 5))
		return true;
	if (!take_number(&text, &s->mapped))
		return false;
	s->known = true;
	skip_blanks(&text);
	if (*text == '-')
		return true;
	if (!take_number(&text, &highest))
		return false;
	s->end = highest + 1;
	return true;
}

/* ---- runs ---- */

static const char *const kinds[NR_RUN_KINDS] = {
	[RUN_OWN] = "own",
	[RUN_SHARED] = "shared",
	[RUN_SAME] = "same",
	[RUN_DIFFERENT] = "different",
	[RUN_LEFT_ONLY] = "left_only",
	[RUN_RIGHT_ONLY] = "right_only",
};

const char *run_kind_name(enum run_kind kind)
{
	return kinds[kind];
}

static bool continues(const struct run *a, const struct run *b)
{
	return a->kind == b->kind && a->begin + a->length == b->begin &&
	       (a->kind > RUN_SHARED || a->data_begin + a->length == b->data_begin);
}

bool runs_add(struct runs *runs, const struct run *run)
{
	if (runs->nr && continues(&runs->run[runs->nr - 1], run)) {
		runs->run[runs->nr - 1].length += run->length;
		return true;
	}
	if (runs->nr == runs->room) {
		size_t room = runs->room ? 2 * runs->room : 256;
		struct run *more = realloc(runs->run, room * sizeof(*more));

		if (!more)
			return false;
		runs->run = more;
		runs->room = room;
	}
	runs->run[runs->nr++] = *run;
	return true;
}

void runs_clear(struct runs *runs)
{
	free(runs->run);
	memset(runs, 0, sizeof(*runs));
}

/* ---- pages ---- */

static bool find_kind(const char *word, bool of_map, enum run_kind *kind)
{
	unsigned int i;

	for (i = of_map ? RUN_OWN : RUN_SAME;
	     i <= (of_map ? RUN_SHARED : RUN_RIGHT_ONLY); i++)
		if (!strcmp(word, kinds[i])) {
			*kind = i;
			return true;
		}
	return false;
}

/* BEGIN LENGTH DATA_BEGIN own|shared */
static bool parse_mapping(const char *p, struct run *run)
{
	char word[16];

	return take_number(&p, &run->begin) && take_number(&p, &run->length) &&
	       take_number(&p, &run->data_begin) &&
	       take_word(&p, word, sizeof(word)) && find_kind(word, true, &run->kind);
}

/* KIND BEGIN LENGTH */
static bool parse_difference(const char *p, struct run *run)
{
	char word[16];

	run->data_begin = 0;
	return take_word(&p, word, sizeof(word)) && find_kind(word, false, &run->kind) &&
	       take_number(&p, &run->begin) && take_number(&p, &run->length);
}

/* mapped N, own N; later versions may know more */
static bool parse_count(const char *p, struct page *page)
{
	char word[32];
	uint64_t n;

	if (!take_word(&p, word, sizeof(word)) || !take_number(&p, &n))
		return false;
	if (!strcmp(word, "mapped"))
		page->mapped = n;
	else if (!strcmp(word, "own"))
		page->own = n;
	return true;
}

/* thinx-NAME 1 ID STAMP [ID STAMP] */
static bool parse_first_line(const char *p, const char *name, struct page *page)
{
	unsigned int i, nr = strcmp(name, "delta") ? 1 : 2;
	uint64_t version;
	char word[32];

	if (!take_word(&p, word, sizeof(word)) || strncmp(word, "thinx-", 6) ||
	    strcmp(word + 6, name) || !take_number(&p, &version) || version != 1)
		return false;
	page->nr_devices = nr;
	for (i = 0; i < nr; i++)
		if (!take_id(&p, &page->id[i]) ||
		    !take_word(&p, page->stamp[i], STAMP_SIZE))
			return false;
	return true;
}

/* Return: true if it is one. */
static bool parse_last_line(const char *p, struct page *page)
{
	char word[8];

	if (!take_word(&p, word, sizeof(word)))
		return false;
	page->done = !strcmp(word, "end");
	return page->done || (!strcmp(word, "next") && take_number(&p, &page->next));
}

static const char *next_line(const char *p)
{
	p += strcspn(p, "\n");
	return *p ? p + 1 : p;
}

bool parse_page(const char *text, const char *name, struct page *page, struct runs *runs)
{
	bool of_map = !strcmp(name, "map"), of_usage = !strcmp(name, "usage");
	struct run run;

	memset(page, 0, sizeof(*page));
	if (!parse_first_line(text, name, page))
		return false;
	for (text = next_line(text); !at_end_of_line(text); text = next_line(text)) {
		if (parse_last_line(text, page))
			return !*next_line(text);
		if (of_usage) {
			if (!parse_count(text, page))
				return false;
			continue;
		}
		if (!(of_map ? parse_mapping(text, &run) : parse_difference(text, &run)) ||
		    !run.length || !runs_add(runs, &run))
			return false;
	}
	return false;
}

/* ---- the list of devices ---- */

void infos_clear(struct infos *infos)
{
	free(infos->info);
	memset(infos, 0, sizeof(*infos));
}

struct info *infos_find(const struct infos *infos, uint32_t id)
{
	size_t begin = 0, end = infos->nr;

	while (begin < end) {
		size_t mid = begin + (end - begin) / 2;

		if (infos->info[mid].id == id)
			return &infos->info[mid];
		if (infos->info[mid].id < id)
			begin = mid + 1;
		else
			end = mid;
	}
	return NULL;
}

bool infos_free_ids(const struct infos *infos, uint32_t *ids, size_t nr)
{
	int64_t id = MAX_DEVICE_ID;
	size_t i = infos->nr, n = 0;

	for (; n < nr && id >= 0; id--) {
		if (i && infos->info[i - 1].id == id)
			i--;
		else
			ids[n++] = id;
	}
	return n == nr;
}

static bool infos_add(struct infos *infos, const struct info *info)
{
	/* In order, each once: what infos_find() relies on. */
	if (infos->nr && infos->info[infos->nr - 1].id >= info->id)
		return false;
	if (infos->nr == infos->room) {
		size_t room = infos->room ? 2 * infos->room : 256;
		struct info *more = realloc(infos->info, room * sizeof(*more));

		if (!more)
			return false;
		infos->info = more;
		infos->room = room;
	}
	infos->info[infos->nr++] = *info;
	return true;
}

/* ID MAPPED TID CREATED SNAPPED STATE */
static bool parse_info(const char *p, struct info *info)
{
	memset(info, 0, sizeof(*info));
	return take_id(&p, &info->id) && info->id <= MAX_DEVICE_ID &&
	       take_number(&p, &info->mapped) && take_number(&p, &info->transaction) &&
	       take_number(&p, &info->created) && take_number(&p, &info->snapped) &&
	       take_word(&p, info->state, sizeof(info->state));
}

static bool is_answer(const char *p, const char *name)
{
	uint64_t version;
	char word[32];

	return take_word(&p, word, sizeof(word)) && !strcmp(word, name) &&
	       take_number(&p, &version) && version == 1;
}

bool parse_devices(const char *text, bool *done, uint64_t *next, struct infos *infos)
{
	struct page page = { };
	struct info info;

	if (!is_answer(text, "thinx-devices"))
		return false;
	for (text = next_line(text); !at_end_of_line(text); text = next_line(text)) {
		if (parse_last_line(text, &page)) {
			*done = page.done;
			*next = page.next;
			return !*next_line(text);
		}
		if (!parse_info(text, &info) || !infos_add(infos, &info))
			return false;
	}
	return false;
}

/* ID RESERVE LEFT LIMIT, or - for the last */
static bool parse_quota(const char *p, struct infos *infos)
{
	struct info none, *info;
	uint32_t id;

	if (!take_id(&p, &id))
		return false;
	info = infos_find(infos, id) ?: &none;
	if (!take_number(&p, &info->reserve) || !take_number(&p, &info->left))
		return false;
	skip_blanks(&p);
	if (*p == '-')
		return true;
	info->has_limit = take_number(&p, &info->limit);
	return info->has_limit;
}

bool parse_quotas(const char *text, bool *done, uint64_t *next, struct infos *infos)
{
	struct page page = { };

	if (!is_answer(text, "thinx-quotas"))
		return false;
	for (text = next_line(text); !at_end_of_line(text); text = next_line(text)) {
		if (parse_last_line(text, &page)) {
			*done = page.done;
			*next = page.next;
			return !*next_line(text);
		}
		if (!parse_quota(text, infos))
			return false;
	}
	return false;
}
