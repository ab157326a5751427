// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * See space.h.
 */
#include "space.h"

#include <stdio.h>
#include <string.h>

#define MINUTE	60ULL
#define HOUR	(60 * MINUTE)
#define DAY	(24 * HOUR)

/* Ten years: nobody waits for more. */
#define FAR	(3650 * DAY)

void samples_add(struct samples *s, const struct sample *sample)
{
	if (s->nr && sample->time < s->sample[s->nr - 1].time)
		s->nr = 0;
	if (s->nr == MAX_SAMPLES) {
		memmove(s->sample, s->sample + 1, (s->nr - 1) * sizeof(s->sample[0]));
		s->nr--;
	}
	s->sample[s->nr++] = *sample;
}

bool samples_slope(const struct samples *s, enum space which, double *slope)
{
	double t = 0, u = 0, tt = 0, tu = 0, first;
	unsigned int i;

	if (!s->nr)
		return false;
	/* Large numbers near each other: relative to the first of them. */
	first = s->sample[0].used[which];
	for (i = 0; i < s->nr; i++) {
		t += s->sample[i].time - s->sample[0].time;
		u += s->sample[i].used[which] - first;
	}
	t /= s->nr;
	u /= s->nr;
	for (i = 0; i < s->nr; i++) {
		double dt = s->sample[i].time - s->sample[0].time - t;

		tt += dt * dt;
		tu += dt * (s->sample[i].used[which] - first - u);
	}
	if (tt < 1e-6)
		return false;
	*slope = tu / tt;
	return true;
}

double samples_until_full(const struct samples *s, enum space which)
{
	const struct sample *last = s->nr ? &s->sample[s->nr - 1] : NULL;
	double slope, seconds;

	if (!last)
		return -1;
	if (last->used[which] >= last->total[which])
		return 0;
	if (!samples_slope(s, which, &slope) || slope <= 0)
		return -1;
	seconds = (last->total[which] - last->used[which]) / slope;
	return seconds < FAR ? seconds : -1;
}

void format_duration(char *text, size_t size, double seconds)
{
	unsigned long long n = seconds < 0 ? 0 : seconds;

	if (seconds < 0)
		snprintf(text, size, "-");
	else if (n < MINUTE)
		snprintf(text, size, "%llus", n);
	else if (n < HOUR)
		snprintf(text, size, "%llum%02llus", n / MINUTE, n % MINUTE);
	else if (n < DAY)
		snprintf(text, size, "%lluh%02llum", n / HOUR, n % HOUR / MINUTE);
	else if (n < 100 * DAY)
		snprintf(text, size, "%llud%02lluh", n / DAY, n % DAY / HOUR);
	else
		snprintf(text, size, "%llud", n / DAY);
}
