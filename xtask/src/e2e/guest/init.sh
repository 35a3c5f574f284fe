#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# The guest's first and only process: runs the tests that the kernel's command
# line names (`ims.tests=a,b,c`), one after the other, and powers off. All that
# is said goes through the kernel's log, which keeps lines whole.

/bin/busybox mount -t devtmpfs none /dev
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys

say() {
	echo "<6>$*" >/dev/kmsg
}

/bin/busybox dmesg -n 7
/bin/busybox insmod /ims_store.ko || say "IMS-INIT insmod failed"

device=$(echo /sys/bus/pci/drivers/ims_store/0000:*)
unremapped=/sys/module/ims_store/parameters/unremapped
tests=$(/bin/busybox sed -n 's/.*ims\.tests=\([^ ]*\).*/\1/p' /proc/cmdline)

if [ -e "$device/run" ]; then
	for name in $(echo "$tests" | /bin/busybox tr , ' '); do
		case $name in
		+unremapped) echo Y >$unremapped ;;
		# A test that fails says so itself; the others are run all the same.
		*) echo "$name" >"$device/run" ;;
		esac
	done
else
	say "IMS-INIT no device for the driver"
fi

say "IMS-INIT done"
/bin/busybox poweroff -f
