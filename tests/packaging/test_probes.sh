#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Copyright (C) 2026 The thinx authors.
#
# The probes of include/compat find what each kernel that is here has, are made when
# something changed and only then, tell trouble from an interface that is missing,
# and kernels out of the supported range are refused.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

module=$work/module
header=$module/compat-probed.h

# The smallest module that uses the headers of include/compat.
new_module()
{
	rm -rf "$module"
	mkdir -p "$module/include"
	cp -r include/compat "$module/include/"
	cat > "$module/Kbuild" <<-'END'
	obj-m := uses-compat.o
	ccflags-y += -I$(src)
	include $(src)/include/compat/probes.mk
	END
	{
		echo '#include <linux/module.h>'
		(cd include/compat && printf '#include "include/compat/%s"\n' *.h)
		echo 'MODULE_DESCRIPTION("uses compat"); MODULE_LICENSE("GPL");'
	} > "$module/uses-compat.c"
}

build() { kernel_make "$module" "$@"; }

# answers: what was found, without the two that test the compiler
answers()
{
	sed -n 's/^#define THINX_HAVE_\(.*\) 1$/\1/p' "$header" |
		grep -vxE COMPILES | sort | xargs
}

# is_made_anew WHAT YES-OR-NO COMMAND...
is_made_anew()
{
	local what=$1 wanted=$2 anew=no

	shift 2
	"$@"
	before=$(stat -c %i "$header")
	build > "$work/out" 2>&1 || { cat "$work/out"; fail "$what: builds"; }
	[ "$(stat -c %i "$header")" = "$before" ] || anew=yes
	ok "$what" test $anew = "$wanted"
}

one_kernel()
{
	new_module
	ok "$1: a module with the headers of include/compat builds" build
	cp "$work/out" "$work/built"
	fails "$1: without a warning" "" grep -i warning "$work/built"
	echo "$2" > "$work/wanted"
	answers > "$work/got"
	same "$1: has what it is known to have" "$work/got" "$work/wanted"
}

all="BDEV_FILE BLK_MODE_T COMPUTED_LIMITS LIMITS_UPDATE"
while IFS=: read -r k wanted; do
	if kernel_find "$k" && [ -e "$k_build/Makefile" ]; then
		one_kernel "$k" "$wanted"
	else
		skip "$k" "this kernel is not here"
	fi
done <<END
7.3:$all SHRINKER_ALLOC WZEROES_UNMAP
6.12:$all NAMESPACE_WORDS SHRINKER_ALLOC
6.1:NAMESPACE_WORDS
END

if ! kernel_find "$kernel_default" || [ ! -e "$k_build/Makefile" ]; then
	skip "the rest" "no kernel $kernel_default"
	echo "1..$number"
	exit
fi

new_module
build
found=$(answers)
is_made_anew "nothing changed: no probe is made" no true
is_made_anew "a probe changed: they are made" yes \
	sh -c "echo '/* more */' >> $module/include/compat/probes/bdev_file.c"
is_made_anew "a probe came: they are made" yes \
	sh -c "echo 'static inline void f(void) { x = 1; }' > $module/include/compat/probes/new_one.c"
ok "and it is answered" grep -qx "#define THINX_HAVE_NEW_ONE 0" "$header"
is_made_anew "a probe went: they are made" yes \
	rm "$module/include/compat/probes/new_one.c"
is_made_anew "flags changed: they are made" yes \
	sh -c "echo 'ccflags-y += -DMORE' >> $module/Kbuild"

echo '#include <linux/not-there.h>' > "$module/include/compat/probes/new_one.c"
ok "a probe without its header" build
ok "says no" grep -qx "#define THINX_HAVE_NEW_ONE 0" "$header"
ok "and the others say what they said" test "$(answers)" = "$found"
echo 'static inline int f(void) { if (' > "$module/include/compat/probes/a_first.c"
fails "a probe that hides those behind it ends the build" "the headers of Linux" build

new_module
echo '#error broken' >> "$module/include/compat/probes/compiles.c"
fails "headers that do not compile are not taken for old ones" "not fit for use" build
fails "and leave no answers" "" test -e "$header"
new_module
: > "$module/include/compat/probes/does_not_compile.c"
fails "nor a compiler that accepts anything for a new one" "finds no error" build
new_module
echo "ccflags-y += -include $module/broken.h" >> "$module/Kbuild"
echo 'int broken' > "$module/broken.h"
fails "an error outside of the probes ends the build" "the headers of Linux" build

# range OLDEST NEWEST
range()
{
	new_module
	sed -i -E "s/^(thinx-oldest-kernel := ).*/\\1$1/; s/^(thinx-newest-kernel := ).*/\\1$2/" \
		"$module/include/compat/kernels.mk"
}
range 5.10 6.0
fails "a kernel that is too new is refused" \
	"this is Linux $k_release; thinx is for Linux 5.10 to 6.0" build
ok "THINX_ANY_KERNEL=1 builds for it" build THINX_ANY_KERNEL=1
cp "$work/out" "$work/built"
ok "and says what that is" grep -q "this is Linux $k_release" "$work/built"
range 100.1 200.2
fails "one that is too old is refused" "thinx is for Linux 100.1 to 200.2" build
fails "how to build is said" "THINX_ANY_KERNEL=1" build

oldest=$(sed -n 's/^thinx-oldest-kernel := //p' include/compat/kernels.mk)
newest=$(sed -n 's/^thinx-newest-kernel := //p' include/compat/kernels.mk)
new_module
ok "a build that is not silent tells the range" \
	env -u MAKEFLAGS make -C "$k_build" M="$module" CONFIG_DEBUG_INFO_BTF_MODULES= modules
cp "$work/out" "$work/built"
ok "that of include/compat/kernels.mk" grep -qF \
	"PROBE   Linux $k_release; thinx is for $oldest to $newest" "$work/built"
ok "which README.md gives" grep -qF "Linux $oldest to $newest" README.md
ok "clean removes the answers" make -s -C "$k_build" M="$module" clean
fails "all of them" "" grep compat-probed <(find "$module")
echo "1..$number"
