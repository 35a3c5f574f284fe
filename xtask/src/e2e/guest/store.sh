# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A device whose store the kernel programs, by modules of ours: what the guest does
# is theirs, by its name.

prepare() {
	for module in ims_domain ims_store ims_dsa; do
		insmod /modules/$module.ko || say "IMS-INIT insmod $module failed"
	done
	unremapped=/sys/module/ims_domain/parameters/unremapped
	for device in /sys/bus/pci/drivers/ims_*/0000:*; do
		[ -e "$device/run" ] && return
	done
	say "IMS-INIT no device for the drivers"
	return 1
}

verb() {
	case $1 in
	+unremapped) echo Y >$unremapped ;;
	# Whoever watches from outside may look now: nothing is done for a while.
	look*)
		say "IMS-READY $1"
		sleep 3
		;;
	# A test that fails says so itself; the others are run all the same.
	*) echo "$1" >"$device/run" || true ;;
	esac
}
