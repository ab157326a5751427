// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * thinx plot: a picture of a log, drawn by gnuplot, which reads its script and the
 * numbers from a pipe and writes the picture to its standard output.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "log.h"
#include "say.h"
#include "space-table.h"

/* Of the time the log covers, so much is foreseen at most. */
#define FORESEEN	0.5

#define CANNOT_RUN	127

/**
 * struct plot - a picture in the making
 * @log: read several times
 * @name: of the pool
 * @script: gnuplot
 * @samples: the last ones
 * @first: time of the first one
 * @stage: names of the stages that were passed
 * @drawn: stage whose line is being written
 */
struct plot {
	FILE *log;
	char name[LOG_NAME];
	FILE *script;
	struct samples samples;
	double first;
	char stage[MAX_TIMES][NAME_SIZE];
	unsigned int nr_stages;
	unsigned int drawn;
};

/* ---- looking through the log ---- */

static void note_stage(struct plot *p, const char *name)
{
	unsigned int i;

	for (i = 0; i < p->nr_stages; i++)
		if (!strcmp(p->stage[i], name))
			return;
	if (p->nr_stages < MAX_TIMES)
		strcpy(p->stage[p->nr_stages++], name);
}

static void look(void *context, const struct log_entry *e)
{
	struct plot *p = context;
	unsigned int i;

	if (!p->samples.nr)
		p->first = e->sample.time;
	samples_add(&p->samples, &e->sample);
	for (i = 0; i < e->nr_stages; i++)
		note_stage(p, e->stage[i].name);
}

static const struct sample *last_of(const struct plot *p)
{
	return &p->samples.sample[p->samples.nr - 1];
}

/* ---- the script ---- */

static double percent(const struct sample *s, enum space which)
{
	return s->total[which] ? 100.0 * s->used[which] / s->total[which] : 0;
}

static void write_use(void *context, const struct log_entry *e)
{
	struct plot *p = context;

	fprintf(p->script, "%.3f %.4f %.4f\n", e->sample.time,
		percent(&e->sample, SPACE_DATA), percent(&e->sample, SPACE_METADATA));
}

static void write_stage(void *context, const struct log_entry *e)
{
	struct plot *p = context;
	unsigned int i;

	for (i = 0; i < e->nr_stages; i++)
		if (!strcmp(e->stage[i].name, p->stage[p->drawn]))
			fprintf(p->script, "%.3f %.3f\n", e->sample.time,
				e->stage[i].quantile[Q99] / 1e3);
}

/* From the last sample to the end, or as far as the picture goes. */
static void write_foreseen(struct plot *p, enum space which, double until)
{
	const struct sample *last = last_of(p);
	double full = samples_until_full(&p->samples, which), y = 100;

	if (full > until) {
		y = percent(last, which);
		y += (100 - y) * until / full;
		full = until;
	}
	fprintf(p->script, "$foreseen%d << EOD\n", which);
	if (full > 0)
		fprintf(p->script, "%.3f %.4f\n%.3f %.4f\n", last->time,
			percent(last, which), last->time + full, y);
	fputs("EOD\n", p->script);
}

/* How far the picture shows what is to come: till the last end, if that is near. */
static double foreseen(const struct plot *p)
{
	double span = (last_of(p)->time - p->first) * FORESEEN;
	double longest = 0;
	int i;

	for (i = 0; i < NR_SPACES; i++) {
		double full = samples_until_full(&p->samples, i);

		if (full > longest)
			longest = full;
	}
	return longest < span ? longest : span;
}

static void write_data(struct plot *p)
{
	double until = foreseen(p);

	fputs("$use << EOD\n", p->script);
	log_read(p->log, p->name, write_use, p);
	fputs("EOD\n", p->script);
	write_foreseen(p, SPACE_DATA, until);
	write_foreseen(p, SPACE_METADATA, until);
	for (p->drawn = 0; p->drawn < p->nr_stages; p->drawn++) {
		fprintf(p->script, "$stage%u << EOD\n", p->drawn);
		log_read(p->log, p->name, write_stage, p);
		fputs("EOD\n", p->script);
	}
	/* One sample alone has no width. */
	fprintf(p->script, "set xrange [%.3f:%.3f]\n", p->first - 1,
		last_of(p)->time + until + 1);
}

/* What is a name is no text with underscores and braces to gnuplot. */
static void write_text(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', f);
		if ((unsigned char)*text >= ' ')
			fputc(*text, f);
	}
	fputs("\" noenhanced", f);
}

static void write_use_plot(struct plot *p)
{
	static const char *const names[] = { "data", "metadata" };
	bool first = true;
	char text[32];
	int i;

	fputs("set ylabel 'in use (%)'\nset yrange [0:100]\nplot ", p->script);
	for (i = 0; i < NR_SPACES; i++) {
		format_duration(text, sizeof(text), samples_until_full(&p->samples, i));
		fprintf(p->script, "%s$use using 1:%d with lines lw 2 lc %d title '%s'",
			first ? "" : ", ", i + 2, i + 1, names[i]);
		first = false;
		if (samples_until_full(&p->samples, i) > 0)
			fprintf(p->script, ", $foreseen%d using 1:2 with lines lw 2 dt 2 lc %d title 'full in %s'",
				i, i + 1, text);
	}
	fputc('\n', p->script);
}

static void write_stage_plot(struct plot *p)
{
	unsigned int i;

	fputs("set ylabel '99 of 100 took at most (us)'\nset autoscale y\nset logscale y\nplot ",
	      p->script);
	for (i = 0; i < p->nr_stages; i++) {
		/* There are eight colours: then dashes. */
		fprintf(p->script, "%s$stage%u using 1:2 with linespoints pt 7 ps 0.4 lc %u dt %u title ",
			i ? ", " : "", i, i % 8 + 1, i / 8 + 1);
		write_text(p->script, p->stage[i]);
	}
	fputc('\n', p->script);
}

static void write_script(struct plot *p, const char *terminal)
{
	fprintf(p->script, "set terminal %s\n", terminal);
	write_data(p);
	fprintf(p->script, "set xdata time\nset timefmt '%%s'\nset format x \"%s\"\n",
		last_of(p)->time - p->first < 600 ? "%H:%M:%S" : "%H:%M\\n%d %b");
	fputs("set xlabel 'UTC'\nset grid\nset key outside right top\nset lmargin 12\nset rmargin 28\n",
	      p->script);
	fprintf(p->script, "set multiplot layout %d,1 title ", p->nr_stages ? 2 : 1);
	write_text(p->script, p->name);
	fputc('\n', p->script);
	write_use_plot(p);
	if (p->nr_stages)
		write_stage_plot(p);
	fputs("unset multiplot\n", p->script);
}

/* ---- gnuplot ---- */

static pid_t start_gnuplot(int picture, FILE **script)
{
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC))
		return -1;
	pid = fork();
	if (!pid) {
		if (dup2(fd[0], STDIN_FILENO) >= 0 && dup2(picture, STDOUT_FILENO) >= 0)
			execlp("gnuplot", "gnuplot", "-", (char *)NULL);
		_exit(CANNOT_RUN);
	}
	close(fd[0]);
	*script = pid < 0 ? NULL : fdopen(fd[1], "w");
	if (!*script)
		close(fd[1]);
	return pid;
}

static bool failed(const char *what, const char *why)
{
	complain("%s: %s", what, why);
	return false;
}

static bool draw(struct plot *p, int picture, const char *terminal)
{
	pid_t pid = start_gnuplot(picture, &p->script);
	int status = 0;
	bool ok;

	if (pid < 0)
		return failed("gnuplot", strerror(errno));
	ok = p->script;
	if (ok) {
		write_script(p, terminal);
		ok = !ferror(p->script);
		ok = !fclose(p->script) && ok;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_RUN)
		return failed("gnuplot", "it cannot be run: install it (Debian: gnuplot-nox)");
	if (!ok || status)
		return failed("gnuplot", "it has failed, see above");
	return true;
}

/* The picture appears when it is complete. */
static bool draw_to(struct plot *p, const char *file, const char *terminal)
{
	char temporary[4096 + 8];
	bool ok;
	int fd;

	if (snprintf(temporary, sizeof(temporary), "%s.new", file) >= (int)sizeof(temporary))
		return failed(file, strerror(ENAMETOOLONG));
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return failed(temporary, strerror(errno));
	ok = draw(p, fd, terminal);
	if (close(fd) && ok)
		ok = failed(temporary, strerror(errno));
	if (ok && rename(temporary, file))
		ok = failed(file, strerror(errno));
	if (!ok)
		unlink(temporary);
	return ok;
}

/* ---- the command ---- */

static const char *terminal_of(const char *file)
{
	const char *dot = strrchr(file, '.');

	if (dot && !strcmp(dot, ".png"))
		return "pngcairo size 1100,800 font 'sans,11'";
	if (dot && !strcmp(dot, ".svg"))
		return "svg size 1100,800 font 'sans,14' background rgb 'white'";
	return NULL;
}

static bool read_log(struct plot *p, const char *file)
{
	int r;

	p->log = fopen(file, "re");
	if (!p->log)
		return failed(file, strerror(errno));
	r = log_read(p->log, p->name, look, p);
	if (r == -EPROTO)
		return failed(file, "this is no log of thinx stat --log");
	if (r)
		return failed(file, strerror(-r));
	if (!p->samples.nr)
		return failed(file, "there is nothing in it yet");
	return true;
}

int command_plot(struct options *o)
{
	const char *terminal = o->nr_words == 2 ? terminal_of(o->words[1]) : NULL;
	struct space_row rows[NR_SPACES];
	struct plot p = { };
	int r = FAILED;

	if (!terminal) {
		complain("plot: a log of thinx stat is expected, and the name of a picture that ends in .png or .svg");
		return MISUSED;
	}
	/* If gnuplot ends early, that is seen by what it returns. */
	signal(SIGPIPE, SIG_IGN);
	if (read_log(&p, o->words[0]) && draw_to(&p, o->words[1], terminal))
		r = DONE;
	if (p.log)
		fclose(p.log);
	if (r || !o->json)
		return r;
	o->fields = "space,size,used,percent,full_in,full_seconds";
	o->unit = 'b';
	o->no_suffix = true;
	space_rows(&p.samples, rows);
	return table_print(&space_table, o, rows, NR_SPACES, sizeof(rows[0])) ? DONE : FAILED;
}
