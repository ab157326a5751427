/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copyright (C) 2026 The thinx authors.
 *
 * Devices that are made, suspended and resumed.  What goes wrong is said here.
 */
#ifndef TOOLS_DEVICE_H
#define TOOLS_DEVICE_H

#include "pool.h"

/** device_name_is_free() - may a device be called @name? */
bool device_name_is_free(const char *name);

/**
 * device_create_like() - a device that shows another thin device of the same pool
 * @name: of the new one
 * @like: the type of its target, its length and external origin
 * @id: thin device
 */
bool device_create_like(const char *name, const struct volume *like, uint32_t id);

/**
 * device_is_unused() - is it not open?
 *
 * Waits a few seconds for whoever looks at new devices, such as udev.
 */
bool device_is_unused(const struct device *dev);

/** device_suspend() - with all its I/O written */
bool device_suspend(const struct device *dev);

/** device_resume() */
bool device_resume(const struct device *dev);

#endif /* TOOLS_DEVICE_H */
