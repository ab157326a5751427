/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Tracepoints on the slow path and on every mode change.  A bio mapped on the
 * fast path hits none.  @dev is the pool's data device, @id the thin device.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM thinx

#if !defined(TRACE_THINX_H) || defined(TRACE_HEADER_MULTI_READ)
#define TRACE_THINX_H

#include <linux/types.h>	/* kdev_t.h needs it, does not include it */
#include <linux/kdev_t.h>
#include <linux/tracepoint.h>

TRACE_EVENT(thinx_mode,
	TP_PROTO(dev_t dev, unsigned int from, unsigned int to),
	TP_ARGS(dev, from, to),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(unsigned int, from)
		__field(unsigned int, to)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->from = from;
		__entry->to = to;
	),
	TP_printk("dev %d:%d mode %u -> %u", MAJOR(__entry->dev),
		  MINOR(__entry->dev), __entry->from, __entry->to)
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

TRACE_EVENT(thinx_commit,
	TP_PROTO(dev_t dev, u64 generation, bool wrote, int result),
	TP_ARGS(dev, generation, wrote, result),
	TP_STRUCT__entry(
		__field(dev_t, dev)
		__field(u64, generation)
		__field(bool, wrote)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->generation = generation;
		__entry->wrote = wrote;
		__entry->result = result;
	),
	TP_printk("dev %d:%d durable generation %llu%s result %d",
		  MAJOR(__entry->dev), MINOR(__entry->dev),
		  __entry->generation, __entry->wrote ? "" : " (was clean)",
		  __entry->result)
);

#endif /* TRACE_THINX_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH include/trace/events
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE thinx
#include <trace/define_trace.h>
