#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The guest's first and only process: does what the kernel's command line names
# (`ims.tests=a,b,c`), one after the other, and powers off. What each of them
# means says the script /guest: `prepare`, once, and `verb NAME`, which fails
# only if nothing more can be done.

/bin/busybox mkdir -p /dev /proc /sys /bin
/bin/busybox mount -t devtmpfs none /dev
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin

# All that is said goes through the kernel's log, which keeps lines whole.
say() {
	echo "<6>$*" >/dev/kmsg
}

dmesg -n 7
tests=$(sed -n 's/.*ims\.tests=\([^ ]*\).*/\1/p' /proc/cmdline)

. /guest

if prepare; then
	for name in $(echo "$tests" | tr , ' '); do
		verb "$name" || say "IMS-INIT no $name"
	done
fi

say "IMS-INIT done"
poweroff -f
