/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Applying the overlay to the bitmaps.
 */
#ifndef PD_SPACE_MAP_APPLY_H
#define PD_SPACE_MAP_APPLY_H

#include "space-map-common.h"

/**
 * pd_sm_apply() - apply the open overlay to the bitmaps
 * @sm: space map
 *
 * Return: 0, or any error of shadowing: the transaction must be aborted.
 */
int __must_check pd_sm_apply(struct pd_sm *sm);

/** pd_sm_switch_overlays() - the applied overlay becomes the closed one */
void pd_sm_switch_overlays(struct pd_sm *sm);

#endif /* PD_SPACE_MAP_APPLY_H */
