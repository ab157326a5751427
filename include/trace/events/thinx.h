/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Tracepoints on the slow path, in commits and messages, and on every mode
 * change.  A bio mapped on the fast path hits none.  @dev is the pool's data
 * device, @id the thin device.  Names are recorded as text, so that filters and
 * histograms of the kernel's tracing can use them.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM thinx

#if !defined(TRACE_THINX_H) || defined(TRACE_HEADER_MULTI_READ)
#define TRACE_THINX_H

#include <linux/types.h>	/* kdev_t.h needs it, does not include it */
#include <linux/kdev_t.h>
#include <linux/tracepoint.h>

#define THINX_TRACE_NAME	28

TRACE_EVENT(thinx_mode,
	TP_PROTO(dev_t dev, const char *from, const char *to),
	TP_ARGS(dev, from, to),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__array(char, from, THINX_TRACE_NAME)
		__array(char, to, THINX_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->dev = dev;
		strscpy(__entry->from, from, THINX_TRACE_NAME);
		strscpy(__entry->to, to, THINX_TRACE_NAME);
	),
	TP_printk("dev %d:%d mode %s -> %s", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->from, __entry->to)
);

/* Something that the message "stats" counts: @nr of @what. */
TRACE_EVENT(thinx_count,
	TP_PROTO(dev_t dev, u32 id, const char *what, u64 nr),
	TP_ARGS(dev, id, what, nr),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, id)
		__field(u64, nr)
		__array(char, what, THINX_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->id = id;
		__entry->nr = nr;
		strscpy(__entry->what, what, THINX_TRACE_NAME);
	),
	TP_printk("dev %d:%d id %u %s %llu", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->id, __entry->what,
		  __entry->nr)
);

/* The end of something that the message "stats" measures. */
TRACE_EVENT(thinx_stage,
	TP_PROTO(dev_t dev, u32 id, const char *stage, u64 ns),
	TP_ARGS(dev, id, stage, ns),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, id)
		__field(u64, ns)
		__array(char, stage, THINX_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->id = id;
		__entry->ns = ns;
		strscpy(__entry->stage, stage, THINX_TRACE_NAME);
	),
	TP_printk("dev %d:%d id %u %s %llu ns", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->id, __entry->stage,
		  __entry->ns)
);

TRACE_EVENT(thinx_group,
	TP_PROTO(dev_t dev, u32 id, u64 begin, u32 nr, bool is_write),
	TP_ARGS(dev, id, begin, nr, is_write),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, id)
		__field(u64, begin)
		__field(u32, nr)
		__field(bool, is_write)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->id = id;
		__entry->begin = begin;
		__entry->nr = nr;
		__entry->is_write = is_write;
	),
	TP_printk("dev %d:%d id %u %s blocks %llu + %u", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->id,
		  __entry->is_write ? "write" : "read", __entry->begin,
		  __entry->nr)
);

TRACE_EVENT(thinx_update,
	TP_PROTO(dev_t dev, u32 id, u64 vbegin, u64 dbegin, u32 nr, bool copy,
		 int status),
	TP_ARGS(dev, id, vbegin, dbegin, nr, copy, status),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, id)
		__field(u64, vbegin)
		__field(u64, dbegin)
		__field(u32, nr)
		__field(bool, copy)
		__field(int, status)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->id = id;
		__entry->vbegin = vbegin;
		__entry->dbegin = dbegin;
		__entry->nr = nr;
		__entry->copy = copy;
		__entry->status = status;
	),
	TP_printk("dev %d:%d id %u %s blocks %llu + %u -> %llu status %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->id,
		  __entry->copy ? "copied" : "new", __entry->vbegin,
		  __entry->nr, __entry->dbegin, __entry->status)
);

DECLARE_EVENT_CLASS(thinx_range,
	TP_PROTO(dev_t dev, u32 id, u64 begin, u64 end),
	TP_ARGS(dev, id, begin, end),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u32, id)
		__field(u64, begin)
		__field(u64, end)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->id = id;
		__entry->begin = begin;
		__entry->end = end;
	),
	TP_printk("dev %d:%d id %u [%llu, %llu)", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->id, __entry->begin,
		  __entry->end)
);

/* Virtual blocks unmapped by one step of a discard. */
DEFINE_EVENT(thinx_range, thinx_discard_step,
	TP_PROTO(dev_t dev, u32 id, u64 begin, u64 end),
	TP_ARGS(dev, id, begin, end)
);

/* Data blocks whose discard is passed to the data device; @id is 0. */
DEFINE_EVENT(thinx_range, thinx_passdown,
	TP_PROTO(dev_t dev, u32 id, u64 begin, u64 end),
	TP_ARGS(dev, id, begin, end)
);

/* A commit, for whom (a name of "stats"), and how long it took in all. */
TRACE_EVENT(thinx_commit,
	TP_PROTO(dev_t dev, u64 generation, const char *reason, u64 ns,
		 bool wrote, int result),
	TP_ARGS(dev, generation, reason, ns, wrote, result),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, generation)
		__field(u64, ns)
		__field(bool, wrote)
		__field(int, result)
		__array(char, reason, THINX_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->generation = generation;
		__entry->ns = ns;
		__entry->wrote = wrote;
		__entry->result = result;
		strscpy(__entry->reason, reason, THINX_TRACE_NAME);
	),
	TP_printk("dev %d:%d durable generation %llu%s result %d %s %llu ns",
		  MAJOR(__entry->dev), MINOR(__entry->dev),
		  __entry->generation, __entry->wrote ? "" : " (was clean)",
		  __entry->result, __entry->reason, __entry->ns)
);

/* Its parts; comes before the thinx_commit of a commit that wrote. */
TRACE_EVENT(thinx_commit_parts,
	TP_PROTO(dev_t dev, u64 blocks, u64 close_ns, u64 flush_ns,
		 u64 write_ns, u64 complete_ns),
	TP_ARGS(dev, blocks, close_ns, flush_ns, write_ns, complete_ns),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, blocks)
		__field(u64, close_ns)
		__field(u64, flush_ns)
		__field(u64, write_ns)
		__field(u64, complete_ns)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->blocks = blocks;
		__entry->close_ns = close_ns;
		__entry->flush_ns = flush_ns;
		__entry->write_ns = write_ns;
		__entry->complete_ns = complete_ns;
	),
	TP_printk("dev %d:%d blocks %llu close %llu flush %llu write %llu complete %llu ns",
		  MAJOR(__entry->dev), MINOR(__entry->dev), __entry->blocks,
		  __entry->close_ns, __entry->flush_ns, __entry->write_ns,
		  __entry->complete_ns)
);

/* A message or query was answered; @first is its first argument, or "". */
TRACE_EVENT(thinx_message,
	TP_PROTO(dev_t dev, const char *name, const char *first, u64 ns,
		 int result),
	TP_ARGS(dev, name, first, ns, result),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, ns)
		__field(int, result)
		__array(char, name, THINX_TRACE_NAME)
		__array(char, first, THINX_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->ns = ns;
		__entry->result = result;
		strscpy(__entry->name, name, THINX_TRACE_NAME);
		strscpy(__entry->first, first, THINX_TRACE_NAME);
	),
	TP_printk("dev %d:%d '%s %s' result %d %llu ns", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->name, __entry->first,
		  __entry->result, __entry->ns)
);

#endif /* TRACE_THINX_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH include/trace/events
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE thinx
#include <trace/define_trace.h>
