# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A guest that drives an Intel DSA with the kernel's own driver, its own test of
# DMA engines, and accel-config. A verb is `name[:key=value …]`; each says one
# line `IMS-TEST <as> ok key=value …` or `IMS-TEST <as> FAIL why`, where `as` is
# its name or what the key `as` says. Keys that a verb knows, and their defaults,
# stand before it.

helper=/sys/module/movdir64b/parameters
bus=/sys/bus/dsa

prepare() {
	mount -t debugfs none /sys/kernel/debug
}

verb() {
	as= device=dsa0
	mode=auto selftest=1
	wqs=1 groups=1 size=16
	channels=1 threads=1 iterations=100 bytes=16384 patience=60000 announce=0
	keys "$1"
	number=${device#dsa}
	carry_out
}

# Attributes of $1, as values.
values() {
	place=$1
	shift
	for attribute; do
		[ -r "$place/$attribute" ] || continue
		echo "$attribute=$(cat "$place/$attribute" 2>&1 | tr -s ' \n' __ | sed 's/_$//')"
	done
}

# --- The modules. mode=auto|ud|kprobe selftest=0|1

do_helper() {
	try insmod /modules/movdir64b.ko mode="$mode" selftest="$selftest" || return
	do_ways
}

# How many instructions went which way, and how many probes there are now.
do_ways() {
	ok $(values $helper way ud_kernel ud_user kprobe) probes=$(probes)
}

# As the kernel lists them.
probes() {
	wc -l </sys/kernel/debug/kprobes/list
}

do_helper_out() {
	try rmmod movdir64b && ok
}

# While the driver is there its helper must be.
do_pinned() {
	rmmod movdir64b 2>/dev/null && wrong "it went away while the driver was there" && return
	ok $(values /sys/module/movdir64b refcnt)
}

do_process() {
	line=$(/bin/process 2>&1)
	say "$line"
}

driver_in() {
	for module in $(cat /modules/order); do
		[ -d "/sys/module/$module" ] && continue
		# It says in the log which interrupt handles it was given.
		set -- "/modules/$module.ko"
		[ "$module" = idxd ] && set -- "$@" 'dyndbg="func idxd_device_request_int_handle +p"'
		insmod "$@" || return
	done
}

do_driver() {
	try driver_in || return
	[ "$(probes)" -gt 0 ] && probed=yes || probed=no
	ok probed=$probed bus=$(ls -d $bus | wc -l) drivers=$(ls $bus/drivers | tr '\n' + | sed 's/+$//')
}

do_driver_out() {
	for module in $(tr ' ' '\n' </modules/order | tac); do
		try rmmod "$module" || return
	done
	ok
}

# Without help the driver refuses a CPU that lacks the instruction.
do_unaided() {
	driver_in 2>/dev/null && wrong "the driver was loaded" && return
	ok
}

do_tools() {
	try accel-config --version || return
	version=$text
	try accel-config list || return
	ok version="$version" devices=$(echo "$text" | grep -c '"dev":"dsa')
}
