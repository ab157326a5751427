// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * thinx policy: reserves and limits that outlive the pool's being set up.
 *
 *   set ─► messages "reserve" and "limit" ─► DIR/POOL.conf
 *   udev: a pool comes up ─► service ─► apply ─► the same messages
 *
 * The kernel comes first: what it refuses is not kept.  POOL is the UUID of the
 * device, or its name if it has none, so that udev's rule finds the file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "rules.h"
#include "say.h"
#include "table.h"

#define USUAL_DIR	"/etc/thinx/policy.d"
#define SUFFIX		".conf"

/**
 * struct row - a rule
 * @pool: name of the pool, or of the file if there is no such pool
 * @v: of the device, or NULL
 */
struct row {
	const char *pool;
	const struct volume *v;
	struct rule rule;
};

/**
 * struct policy - what a command works on
 * @dir: of the files
 * @rows: what is shown at the end
 */
struct policy {
	struct options *o;
	struct system s;
	const char *dir;
	struct row *rows;
	size_t nr;
};

/* ---- columns ---- */

#define COLUMN(name)							\
	static int show_##name(struct dm_report *rh, struct dm_pool *mem,	\
			       struct dm_report_field *f, const void *data,	\
			       void *private)

COLUMN(pool)
{
	const struct row *r = data;

	return show_text(rh, f, r->pool);
}

COLUMN(id)
{
	const struct row *r = data;

	return show_number(rh, mem, f, true, r->rule.id);
}

COLUMN(name)
{
	const struct row *r = data;

	return show_text(rh, f, r->v ? r->v->dev.name : "");
}

COLUMN(reserve)
{
	const struct row *r = data;

	return show_size(mem, f, private, r->rule.reserve, r->rule.reserve / 512);
}

COLUMN(limit)
{
	const struct row *r = data;

	return show_size(mem, f, private, r->rule.limit, r->rule.limit / 512);
}

static void *the_row(void *object)
{
	return object;
}

static const struct dm_report_object_type kinds[] = {
	{ 1, "Rule", "", the_row },
	{ 0, "", "", NULL }
};

#define TEXT	DM_REPORT_FIELD_TYPE_STRING
#define NUMBER	DM_REPORT_FIELD_TYPE_NUMBER
#define SIZE	DM_REPORT_FIELD_TYPE_SIZE

static const struct dm_report_field_type fields[] = {
	{ 1, TEXT, 0, 4, "pool", "Pool", show_pool, "The pool; if it is not set up, its UUID or name." },
	{ 1, NUMBER, 0, 8, "id", "Id", show_id, "Thin device." },
	{ 1, TEXT, 0, 6, "name", "Volume", show_name, "Name of its volume." },
	{ 1, SIZE, 0, 8, "reserve", "Reserve", show_reserve, "Kept free for it." },
	{ 1, SIZE, 0, 8, "limit", "Limit", show_limit, "What it may map." },
	{ 0, 0, 0, 0, "", "", NULL, NULL }
};

static const struct table table = {
	.name = "policy", .kinds = kinds, .fields = fields,
	.usual = "pool,id,name,reserve,limit", .order = "pool,id",
};

static bool add_row(struct policy *p, const char *pool, const struct pool *of,
		    const struct rule *rule)
{
	struct row *more = realloc(p->rows, (p->nr + 1) * sizeof(*more)), *row;
	size_t i;

	if (!more) {
		complain("out of memory");
		return false;
	}
	p->rows = more;
	row = &more[p->nr++];
	*row = (struct row){ .pool = pool, .rule = *rule };
	for (i = 0; of && i < p->s.nr_volumes; i++)
		if (p->s.volumes[i].pool == of && p->s.volumes[i].table.id == rule->id)
			row->v = &p->s.volumes[i];
	return true;
}

static bool add_rows(struct policy *p, const char *pool, const struct pool *of,
		     const struct rules *rules)
{
	size_t i;

	for (i = 0; i < rules->nr; i++)
		if ((rules->rule[i].reserve || rules->rule[i].limit) &&
		    !add_row(p, pool, of, &rules->rule[i]))
			return false;
	return true;
}

/* ---- files ---- */

/* What the file of a pool is called, without directory and suffix. */
static const char *key_of(const struct pool *pool)
{
	const char *key = pool->dev.uuid[0] ? pool->dev.uuid : pool->dev.name;

	if (*key != '.' && !strchr(key, '/'))
		return key;
	complain("%s: no file can be called '%s'", pool->dev.name, key);
	return NULL;
}

static bool path_of(const struct policy *p, const char *key, char *path)
{
	int n = snprintf(path, PATH_MAX, "%s/%s" SUFFIX, p->dir, key);

	if (n < PATH_MAX)
		return true;
	complain("%s/%s: the name is too long", p->dir, key);
	return false;
}

/* Without a file there are no rules. */
static bool read_file(const char *path, struct rules *rules)
{
	unsigned int line;
	FILE *f = fopen(path, "re");
	int r;

	if (!f && errno == ENOENT)
		return true;
	if (!f) {
		complain("%s: %s", path, strerror(errno));
		return false;
	}
	r = rules_read(f, rules, &line);
	fclose(f);
	if (r == -EINVAL)
		complain("%s, line %u: 'device ID [reserve SIZE] [limit SIZE]' is expected, each ID once",
			 path, line);
	else if (r)
		complain("%s: %s", path, strerror(-r));
	return !r;
}

/* All of it, or the old one. */
static bool write_file(const char *path, const struct rules *rules)
{
	char temporary[PATH_MAX + 8];
	FILE *f;
	bool ok;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	f = fopen(temporary, "we");
	if (f) {
		rules_write(f, rules);
		ok = !fflush(f) && !fsync(fileno(f));
		ok = !fclose(f) && ok && !rename(temporary, path);
		if (ok)
			return true;
	}
	complain("%s: %s; what was set is set, but not kept", path, strerror(errno));
	unlink(temporary);
	return false;
}

/* One at a time; Return: what to close, or -1. */
static int lock_dir(const char *dir)
{
	char path[PATH_MAX];
	char *slash;
	int fd;

	snprintf(path, sizeof(path), "%s", dir);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	mkdir(path, 0755);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && !flock(fd, LOCK_EX))
		return fd;
	complain("%s: %s", dir, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* ---- the kernel ---- */

static bool tell(struct pool *pool, const char *what, uint32_t id, uint64_t bytes)
{
	char message[64];
	int r;

	snprintf(message, sizeof(message), "%s %" PRIu32 " %" PRIu64, what, id,
		 blocks_of(bytes, pool->table.block_sectors));
	r = pool_ask(pool, message, NULL);
	if (r == -ENOSPC)
		complain("%s: %s: there is less free than that", pool->dev.name, message);
	else if (r)
		pool_complain(pool, message, r);
	return !r;
}

/* What one device cannot have does not keep others from theirs. */
static bool tell_all(struct pool *pool, const struct rules *rules)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < rules->nr; i++) {
		const struct rule *r = &rules->rule[i];

		if (r->limit)
			ok = tell(pool, "limit", r->id, r->limit) && ok;
		if (r->reserve)
			ok = tell(pool, "reserve", r->id, r->reserve) && ok;
	}
	return ok;
}

/* ---- set ---- */

static bool change(struct policy *p, struct pool *pool, uint32_t id, struct rules *rules,
		   bool *changed)
{
	const struct options *o = p->o;
	struct rule *rule = rules_find(rules, id, true);

	if (!rule) {
		complain("out of memory");
		return false;
	}
	if (o->has_limit && !tell(pool, "limit", id, o->limit))
		return false;
	if (o->has_limit)
		rule->limit = o->limit;
	*changed = o->has_limit;
	if (o->has_reserve && !tell(pool, "reserve", id, o->reserve))
		return false;
	if (o->has_reserve)
		rule->reserve = o->reserve;
	*changed = true;
	return add_rows(p, pool->dev.name, pool, rules);
}

static bool set_locked(struct policy *p, struct pool *pool, uint32_t id)
{
	const char *key = key_of(pool);
	struct rules rules = { };
	char path[PATH_MAX];
	bool changed = false;
	bool ok;

	ok = key && path_of(p, key, path) && read_file(path, &rules) &&
	     change(p, pool, id, &rules, &changed);
	/* The limit may have been accepted, and the reserve not. */
	if (changed)
		ok = write_file(path, &rules) && ok;
	rules_clear(&rules);
	return ok;
}

static int set(struct policy *p, const char *name)
{
	struct options *o = p->o;
	struct volume *v = o->has_id[0] ? NULL : find_volume(&p->s, name);
	struct pool *pool = o->has_id[0] ? find_pool(&p->s, name) : NULL;
	bool ok;
	int fd;

	if (v)
		pool = v->pool;
	if (!pool) {
		complain(o->has_id[0] ? "%s: there is no such pool; 'thinx list' shows all" :
			 "%s: there is no such volume; give a pool and --dev-id for a thin device without; 'thinx list' shows all",
			 name);
		return FAILED;
	}
	fd = lock_dir(p->dir);
	if (fd < 0)
		return FAILED;
	ok = set_locked(p, pool, v ? v->table.id : o->id[0]);
	close(fd);
	return ok ? DONE : FAILED;
}

/* ---- apply and show ---- */

static bool is_named(struct policy *p, const struct pool *pool)
{
	int i;

	for (i = 1; i < p->o->nr_words; i++)
		if (find_pool(&p->s, p->o->words[i]) == pool)
			return true;
	return p->o->nr_words == 1;
}

static bool words_are_pools(struct policy *p)
{
	int i;

	for (i = 1; i < p->o->nr_words; i++)
		if (!find_pool(&p->s, p->o->words[i])) {
			complain("%s: there is no such pool; 'thinx list' shows all",
				 p->o->words[i]);
			return false;
		}
	return true;
}

static bool with_pool(struct policy *p, struct pool *pool, bool apply)
{
	const char *key = key_of(pool);
	struct rules rules = { };
	char path[PATH_MAX];
	bool ok;

	ok = key && path_of(p, key, path) && read_file(path, &rules);
	if (ok)
		ok = add_rows(p, pool->dev.name, pool, &rules);
	if (ok && apply)
		ok = tell_all(pool, &rules);
	rules_clear(&rules);
	return ok;
}

static int with_pools(struct policy *p, bool apply)
{
	int r = DONE;
	size_t i;

	if (!words_are_pools(p))
		return FAILED;
	for (i = 0; i < p->s.nr_pools; i++)
		if (is_named(p, &p->s.pools[i]) &&
		    !with_pool(p, &p->s.pools[i], apply))
			r = FAILED;
	return r;
}

static bool is_of_a_pool(struct policy *p, const char *key)
{
	size_t i;

	for (i = 0; i < p->s.nr_pools; i++) {
		const struct device *dev = &p->s.pools[i].dev;

		if (!strcmp(key, dev->uuid[0] ? dev->uuid : dev->name))
			return true;
	}
	return false;
}

/* Files of pools that are not set up. */
static bool show_others(struct policy *p)
{
	DIR *dir = opendir(p->dir);
	struct dirent *d;
	bool ok = true;

	while (dir && (d = readdir(dir))) {
		size_t n = strlen(d->d_name), k = strlen(SUFFIX);
		struct rules rules = { };
		char path[PATH_MAX];
		char *key;

		if (n <= k || *d->d_name == '.' || strcmp(d->d_name + n - k, SUFFIX))
			continue;
		/* Shown at the end, when all of this is gone. */
		key = strndup(d->d_name, n - k);
		if (key && !is_of_a_pool(p, key))
			ok = path_of(p, key, path) && read_file(path, &rules) &&
			     add_rows(p, key, NULL, &rules) && ok;
		rules_clear(&rules);
	}
	if (dir)
		closedir(dir);
	return ok;
}

/* ---- the command ---- */

static int run(struct policy *p, const char *what)
{
	int r;

	if (!strcmp(what, "set"))
		r = set(p, p->o->words[1]);
	else
		r = with_pools(p, !strcmp(what, "apply"));
	if (!strcmp(what, "show") && p->o->nr_words == 1 && !show_others(p))
		r = FAILED;
	return table_print(&table, p->o, p->rows, p->nr, sizeof(*p->rows)) ? r : FAILED;
}

static int refuse(const char *how)
{
	complain("%s", how);
	return MISUSED;
}

int command_policy(struct options *o)
{
	struct policy p = { .o = o, .dir = o->config ?: USUAL_DIR };
	const char *what = o->nr_words ? o->words[0] : "";
	bool is_set = !strcmp(what, "set");
	int r = FAILED;

	if (!is_set && strcmp(what, "show") && strcmp(what, "apply"))
		return refuse("policy: set, show or apply is expected");
	if (is_set && (o->nr_words != 2 || (!o->has_reserve && !o->has_limit)))
		return refuse("policy set: --reserve SIZE or --limit SIZE is expected, and a volume, or --dev-id ID and a pool");
	if (!is_set && (o->has_reserve || o->has_limit || o->has_id[0]))
		return refuse("policy: --reserve, --limit and --dev-id are for set");
	if (system_read(&p.s))
		r = run(&p, what);
	free(p.rows);
	system_free(&p.s);
	return r;
}
