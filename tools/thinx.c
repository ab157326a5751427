// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * thinx(8): the first word chooses the command.
 */
#include <libdevmapper.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "say.h"

#define TABLE_HELP							\
	"  -o NAME,...     these columns; +NAME,... these as well; help lists them\n" \
	"  -O NAME,...     sort by them, -NAME downwards\n"		\
	"  -S SELECTION    these rows, as with lvs and dmsetup\n"	\
	"  --units UNIT    h, b, s, k, m, g, t, p, e; capitals: powers of 1000\n" \
	"  --nosuffix      no unit behind the numbers\n"		\
	"  --noheadings    no first line\n"				\
	"  --json          as JSON\n"

#define INTERVAL_HELP							\
	"  --interval S    again every S seconds\n"			\
	"  --count N       N times\n"

static const struct command {
	const char *name;
	int (*run)(struct options *o);
	unsigned int takes;
	const char *what;
	const char *help;
} commands[] = {
	{ "list", command_list, TAKES_TABLE | TAKES_INTERVAL,
	  "pools and volumes",
	  "thinx list [OPTION]... [POOL|VOLUME]...\n"
	  "Pools and volumes, or those named and the volumes of pools named.\n"
	  "The columns own and shared are counted, which takes a while.\n"
	  TABLE_HELP INTERVAL_HELP },
	{ "usage", command_usage, TAKES_TABLE | TAKES_INTERVAL,
	  "what deleting a volume would free",
	  "thinx usage [OPTION]... [POOL|VOLUME]...\n"
	  "What volumes map, and what of it is their own: in no other volume, snapshot or\n"
	  "metadata snapshot. It is counted, which takes a while.\n"
	  TABLE_HELP INTERVAL_HELP },
	{ "stat", command_stat, TAKES_TABLE | TAKES_INTERVAL | TAKES_VIEW,
	  "what a pool or volume does, how long it takes, when it is full",
	  "thinx stat [OPTION]... POOL|VOLUME\n"
	  "How often each stage of the slow path and of commits was passed, and how many\n"
	  "microseconds it took at most: half of them, 90 and 99 of 100, the longest.\n"
	  "First since it was set up, then of each interval.  Of a pool also how much space\n"
	  "is used, and when it is full if it goes on like that.\n"
	  "  --counters      what was done, and why, instead\n"
	  "  --bars          histograms instead\n"
	  "  --space         of a pool: how much is used, and when it is full; alone\n"
	  "  --log FILE      of a pool: keep that and the times there, for thinx plot\n"
	  TABLE_HELP INTERVAL_HELP },
	{ "map", command_map, TAKES_DEVICE | TAKES_RANGES,
	  "which blocks a volume has",
	  "thinx map [--ranges|--json] VOLUME\n"
	  "thinx map [--ranges|--json] --dev-id ID POOL\n"
	  "The mappings of a thin device, as thin_dump's XML.\n"
	  "  --ranges        bytes: OFFSET LENGTH own|shared DATA_OFFSET\n"
	  "  --json          blocks, as JSON\n" },
	{ "delta", command_delta, TAKES_PAIR | TAKES_RANGES,
	  "where two volumes differ",
	  "thinx delta [--ranges|--json] LEFT RIGHT\n"
	  "thinx delta [--ranges|--json] --thin1 ID --thin2 ID POOL\n"
	  "The differences of two thin devices, as thin_delta's XML.\n"
	  "  --ranges        bytes: OFFSET LENGTH different|left_only|right_only\n"
	  "  --json          blocks, as JSON\n" },
	{ "snapshot", command_snapshot, TAKES_TABLE | TAKES_GROUP,
	  "snapshots, several of one moment",
	  "thinx snapshot [OPTION]... NEW=ORIGIN\n"
	  "thinx snapshot --group [OPTION]... NEW=ORIGIN...\n"
	  "Makes snapshots of volumes in use, and devices NEW that show them.\n"
	  TABLE_HELP },
	{ "rollback", command_rollback, TAKES_TABLE | TAKES_DEVICE | TAKES_KEEP,
	  "give a volume what a snapshot has",
	  "thinx rollback [OPTION]... VOLUME SNAPSHOT\n"
	  "thinx rollback [OPTION]... --dev-id ID VOLUME\n"
	  "The volume must not be in use.  What it had is in a new device, VOLUME-before.\n"
	  "  --keep NAME     name of that device\n"
	  "  --dev-id ID     thin device that is the snapshot\n"
	  TABLE_HELP },
	{ "undo", command_undo, TAKES_TABLE | TAKES_DEVICE,
	  "take a rollback back",
	  "thinx undo [OPTION]... VOLUME [KEPT]\n"
	  "thinx undo [OPTION]... --dev-id ID VOLUME\n"
	  "Exchanges the volume and VOLUME-before, or what is named; twice is a rollback.\n"
	  "Neither may be in use.\n"
	  "  --dev-id ID     thin device that has what the volume had\n"
	  TABLE_HELP },
	{ "policy", command_policy, TAKES_TABLE | TAKES_DEVICE | TAKES_POLICY,
	  "reserves and limits that outlive a reboot",
	  "thinx policy set [--reserve SIZE] [--limit SIZE] [OPTION]... VOLUME\n"
	  "thinx policy set [--reserve SIZE] [--limit SIZE] [OPTION]... --dev-id ID POOL\n"
	  "thinx policy show|apply [OPTION]... [POOL]...\n"
	  "Sets reserves and limits and keeps them in files; shows those kept; sets them\n"
	  "again, for pools that have been set up.  SIZE: bytes, or with k, m, g, t.\n"
	  "  --reserve SIZE  free space that only this device may take; 0: none\n"
	  "  --limit SIZE    what it may map at most; 0: everything\n"
	  "  --dev-id ID     thin device\n"
	  "  --config DIR    where the files are, in place of /etc/thinx/policy.d\n"
	  TABLE_HELP },
	{ "export", command_export, TAKES_FORMAT,
	  "numbers for monitoring",
	  "thinx export --prometheus|--json [POOL]...\n"
	  "Space, modes, counters and histograms of pools, in a format for programs.\n"
	  "  --prometheus    as the textfile collector of node_exporter reads it\n"
	  "  --json          as JSON\n" },
	{ "plot", command_plot, TAKES_PLOT,
	  "a picture of what stat --log kept",
	  "thinx plot [--json] LOG FILE.png|FILE.svg\n"
	  "Use over time, with the end it is heading for, and how long stages took; it\n"
	  "needs gnuplot.\n"
	  "  --json          print what is foreseen as JSON\n" },
};

#define NR_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	complain("there is no command '%s': see thinx --help", name);
	return NULL;
}

static int overview(void)
{
	size_t i;

	puts("thinx COMMAND [OPTION]... [NAME]...\n");
	for (i = 0; i < NR_COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].what);
	puts("\nNames are those of dmsetup, paths, or LVM's vg/lv.\n"
	     "thinx COMMAND --help tells more, thinx(8) all.");
	return DONE;
}

static int help(const char *name)
{
	const struct command *c = name ? find_command(name) : NULL;

	if (!name)
		return overview();
	if (!c)
		return MISUSED;
	fputs(c->help, stdout);
	return DONE;
}

int main(int argc, char **argv)
{
	const struct command *c;
	struct options o;
	int r;

	if (argc < 2) {
		overview();
		return MISUSED;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return help(argv[2]);
	c = find_command(argv[1]);
	if (!c)
		return MISUSED;
	say_init();
	if (!options_parse(&o, c->takes, argc - 1, argv + 1))
		return MISUSED;
	r = o.help ? help(c->name) : c->run(&o);
	if (r == DONE && !flush_output())
		r = FAILED;
	dm_lib_release();
	return r;
}
