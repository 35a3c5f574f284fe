# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Verbs of a guest with an Intel DSA: the device and its work.

# Work queues that are configured, in order.
queues=

# The name of the PCI function that a device of the driver's bus belongs to.
pci_name() {
	basename "$(dirname "$(readlink -f "$bus/devices/$device")")"
}

# --- The device. device=dsaN

do_bind() {
	[ -d "$bus/devices/$device" ] || {
		wrong "no $device; the driver said:" $(dmesg | grep idxd | tail -n 3)
		return
	}
	ok pci=$(pci_name) $(values "$bus/devices/$device" version max_groups max_engines \
		max_work_queues max_work_queues_size max_batch_size max_transfer_size \
		gen_cap configurable state cmd_status)
}

# wqs=N of size=N each, dedicated, for the kernel's DMA engine, spread over
# groups=N with an engine each.
do_configure() {
	queues=
	n=0
	while [ $n -lt "$groups" ]; do
		try accel-config config-engine "$device/engine$number.$n" --group-id=$n || return
		n=$((n + 1))
	done
	n=0
	while [ $n -lt "$wqs" ]; do
		wq=$device/wq$number.$n
		try accel-config config-wq "$wq" --group-id=$((n % groups)) --wq-size="$size" \
			--priority=10 --mode=dedicated --type=kernel --name=dmaengine \
			--driver-name=dmaengine || return
		queues="$queues $wq"
		n=$((n + 1))
	done
	enable && ok $(states) engines="$groups"
}

enable() {
	try accel-config enable-device "$device" || return
	for wq in $queues; do
		try accel-config enable-wq "$wq" || return
	done
}

states() {
	enabled=0
	for wq in $queues; do
		[ "$(cat "$bus/devices/${wq#*/}/state")" = enabled ] && enabled=$((enabled + 1))
	done
	echo device=$(cat "$bus/devices/$device/state") enabled=$enabled
}

# Its configuration is the host's: only what a queue is for is left to say. It
# is enabled by the driver, as soon as it is found.
do_virtual() {
	queues=$device/wq$number.0
	fixed=$(cat "$bus/devices/$device/configurable")
	try accel-config config-wq "$queues" --type=kernel --name=dmaengine \
		--driver-name=dmaengine || return
	try accel-config enable-wq "$queues" || return
	ok configurable="$fixed" $(states) $(handles)
}

# Interrupt handles the device gave since the kernel booted: how many, the last one.
handles() {
	dmesg | sed -n 's/.*int handle acquired: //p' |
		awk '{ last = $1 } END { print "handles=" NR, "last=" (NR ? last : "none") }'
}

do_handles() {
	ok $(handles)
}

# The queues off, the device on.
do_queues_off() {
	queues_off || return
	left=$(states)
	queues=
	ok $left
}

# Those of this device: others may have been configured later.
queues_off() {
	for wq in "$bus/devices/wq$number".*; do
		[ "$(cat "$wq/state")" = enabled ] || continue
		try accel-config disable-wq "$device/${wq##*/}" || return
	done
}

# Whoever watches from outside may look now: nothing is done for a while.
do_look() {
	say "IMS-READY $as"
	sleep 3
	ok
}

# All off. The driver forgets what was configured, and `configure` puts it on again.
# It forgets what the host configured, too, and reads that only when it is bound:
# a virtual device needs `rebind` or `reload` before `virtual`.
do_disable() {
	off && ok device=$(cat "$bus/devices/$device/state")
}

off() {
	queues_off || return
	queues=
	[ "$(cat "$bus/devices/$device/state")" = disabled ] && return
	try accel-config disable-device "$device"
}

# The driver is loaded anew, whatever is enabled: nothing is configured.
do_reload() {
	queues=
	try rmmod idxd && try driver_in && do_bind
}

# The device is taken from the driver and given back: the same. It is put off
# before: the driver of 6.12 frees its queues before it disables them, if a device
# that is enabled is taken from it.
do_rebind() {
	pci=$(pci_name)
	off && try taken_from "$pci" && try given_to "$pci" && do_bind
}

# The function is reset while nobody drives it.
do_reset() {
	pci=$(pci_name)
	off && try taken_from "$pci" && try reset_function "$pci" && try given_to "$pci" &&
		do_bind
}

taken_from() {
	echo "$1" >/sys/bus/pci/drivers/idxd/unbind
}

reset_function() {
	echo 1 >"/sys/bus/pci/devices/$1/reset"
}

given_to() {
	echo "$1" >/sys/bus/pci/drivers/idxd/bind
}

# How many of them since the line that holds $1 was logged, while threads of the
# test ran.
handles_since() {
	dmesg | sed -n "1,/$1/d; /dmatest: .*: summary /q; /int handle acquired/p" | wc -l
}

# --- Work. channels=N (0: all) threads=N iterations=N bytes=N patience=MS
# announce=1: says when it has begun.

do_dmatest() {
	mark="dmatest at $(cut -d ' ' -f 1 /proc/uptime)"
	say "$mark"
	try insmod /modules/dmatest.ko device="$(pci_name)" max_channels="$channels" threads_per_chan="$threads" \
		iterations="$iterations" test_buf_size="$bytes" timeout="$patience" run=1 ||
		return
	[ "$announce" = 1 ] && say "IMS-READY $as"
	# Not by its own `wait`, which can miss threads that have not begun.
	left=$((patience / 100))
	while result=$(dmesg | sed "1,/$mark/d" | summary); do
		case $result in *" running=0 "*) break ;; esac
		[ $((left = left - 1)) -gt 0 ] || break
		sleep 0.1
	done
	result="$result handles=$(handles_since "$mark")"
	failures=$(dmesg | sed "1,/$mark/d" | failures)
	rmmod dmatest
	case $result in
	# Nothing done is nothing passed.
	*" threads=0 "*) wrong "no channel was tested" ;;
	*" running=0 failures=0 "*) ok $result ;;
	*) wrong $result $failures ;;
	esac
}

# What the test says of the first copies that failed, of lines like
# `[   12.345678] dmatest: dma0chan0-copy0: result #512: 'test timed out' with …`.
failures() {
	sed -n "s/^\[ *\([0-9.]*\)\].*: result \(#[0-9]*\): '\([^']*\)'.*/at \1 \2 \3;/p" | head -n 4
}

# Work without an end, beside whatever comes next.
do_busy() {
	try insmod /modules/dmatest.ko max_channels="$channels" threads_per_chan="$threads" \
		iterations=0 test_buf_size="$bytes" timeout="$patience" run=1 || return
	# Let some of it be under way.
	sleep 1
	ok
}

# Memory that no device was given: filled the first time, and the same ever after.
do_memory() {
	if [ ! -e /memory ]; then
		try dd if=/dev/urandom of=/memory bs=1M count=64 || return
		sum=$(sha256sum </memory)
	fi
	[ "$(sha256sum </memory)" = "$sum" ] && ok || wrong "it has changed"
}

# Of lines like `Started 2 threads using dma0chan0`, and of each thread
# `dma0chan0-copy0: summary 100 tests, 0 failures 521.0 iops …`.
summary() {
	awk '
		/dmatest: Started/ { for (i = 2; i <= NF; i++) if ($i == "threads") threads += $(i - 1) }
		/dmatest: .*: summary / {
			ended++
			for (i = 2; i <= NF; i++) {
				if ($i == "tests,") tests += $(i - 1)
				if ($i == "failures") failures += $(i - 1)
				if ($i == "iops") iops += $(i - 1)
			}
		}
		END {
			printf "iterations=%d threads=%d running=%d failures=%d per_second=%d\n",
				tests, threads, threads - ended, failures, iops
		}'
}

# Interrupts that arrived: by vector of the device, and all of them.
do_counts() {
	ok $(awk '
		NR == 1 { cpus = NF }
		/idxd-/ {
			sum = 0
			for (i = 2; i < 2 + cpus; i++) sum += $i
			for (; i <= NF; i++) if ($i ~ /^[0-9]+-edge$/) vector = $i + 0
			count[vector] += sum
			total += sum
		}
		END {
			for (vector in count) printf "v%d=%d ", vector, count[vector]
			printf "total=%d\n", total
		}' /proc/interrupts)
}
