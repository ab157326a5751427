# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The kernels thinx is built for, from the oldest to the newest series it was tried
# with.  The build refuses others, unless THINX_ANY_KERNEL=1 is given to make or in
# the environment.

thinx-oldest-kernel := 6.1
thinx-newest-kernel := 7.3
