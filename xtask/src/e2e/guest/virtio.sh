# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# A guest that drives virtio devices with the kernel's own drivers. A verb is
# `name[:key=value …]`; each says one line `IMS-TEST <as> ok key=value …` or
# `IMS-TEST <as> FAIL why`, where `as` is its name or what the key `as` says.
# Keys that a verb knows, and their defaults, stand before it.

prepare() {
	for module in $(cat /modules/order); do
		insmod "/modules/$module.ko" || return
	done
	mkdir -p /mnt /tmp
}

verb() {
	as= device=vda
	module=ims_virtio_msg parameters=
	rounds=3 times=5
	keys "$1"
	carry_out
}

# What the device is called on the virtio bus.
virtio_name() {
	case $device in
	hwrng) set -- /sys/bus/virtio/drivers/virtio_rng/virtio* ;;
	*) set -- "$(readlink -f "/sys/block/$device/device")" ;;
	esac
	basename "$1"
}

# Its PCI function.
function_of() {
	readlink -f "/sys/bus/virtio/devices/$(virtio_name)/.." | sed 's,/virtio-mmio[^/]*$,,'
}

# --- The driver. module=NAME parameters=A=B+C=D

do_driver() {
	try insmod "/modules/$module.ko" $(echo "$parameters" | tr + ' ') || return
	found=$(ls /sys/bus/virtio/devices | wc -l)
	ok devices="$found"
}

# Devices that had a driver have none, and interrupts of theirs are given back.
do_driver_out() {
	try rmmod "$module" || return
	ok devices=$(ls /sys/bus/virtio/devices | wc -l)
}

# A device, its queues and its interrupts. What a module of ours says of them follows.
do_about() {
	find_irqs
	queues=$(ls "/sys/block/$device/mq" 2>/dev/null | wc -l)
	ok transport=$(transport) queues="$queues" irqs="$irqs" $(of_module)
}

transport() {
	basename "$(readlink -f "/sys/bus/virtio/devices/$(virtio_name)/../driver")"
}

of_module() {
	cat "$(function_of)/interrupts" 2>/dev/null
}

# --- Files on a file system of its own: written from every CPU, read back.

do_files() {
	try mke2fs -F -b 4096 "/dev/$device" || return
	try mount -t ext2 "/dev/$device" /mnt || return
	try dd if=/dev/urandom of=/tmp/source bs=64k count=2 || return
	for cpu in $cpus; do
		on_cpu "$cpu" dd if=/tmp/source of=/mnt/file$cpu bs=16k conv=fsync &
	done
	wait
	try umount /mnt || return
	echo 3 >/proc/sys/vm/drop_caches
	try mount -t ext2 "/dev/$device" /mnt || return
	files=0
	for cpu in $cpus; do
		try on_cpu "$cpu" cmp /tmp/source /mnt/file$cpu || return
		files=$((files + 1))
	done
	try umount /mnt || return
	ok files="$files" bytes=$((files * $(stat -c %s /tmp/source)))
}

on_cpu() {
	on=$1
	shift
	taskset -c "$on" "$@" 2>/dev/null
}

# The whole disk, for whoever has it to compare.
do_sum() {
	sync
	sum=$(dd if="/dev/$device" bs=64k iflag=direct 2>/dev/null | md5sum)
	ok sum="${sum%% *}" bytes=$(blockdev --getsize64 "/dev/$device")
}

# --- Interrupts at rest: which come of work on each CPU, and where.

do_spread() {
	find_irqs
	: >/tmp/spread
	for cpu in $cpus; do
		snapshot >/tmp/before
		on_cpu "$cpu" dd if="/dev/$device" of=/dev/null bs=4k count=32 skip=$((cpu * 32)) \
			iflag=direct || {
			wrong "reading on CPU $cpu failed"
			return
		}
		snapshot >/tmp/after
		grown /tmp/before /tmp/after >>/tmp/spread
	done
	ok requests=128 $(awk '
		{ taken += $3; vectors[$1]; homes[$2]; line = line $2 "," }
		END {
			print "interrupts=" taken, "vectors=" length(vectors), "cpus=" length(homes)
			print "homes=" substr(line, 1, length(line) - 1)
		}' /tmp/spread)
}

# --- Interrupts under load. rounds=N

# Each is moved to every CPU in turn, and must be taken there and nowhere else.
do_move() {
	load_on || return
	moves=0 failed=
	round=1
	while [ -z "$failed" ] && [ $round -le "$rounds" ]; do
		move_round || failed=yes
		round=$((round + 1))
	done
	load_off || return
	[ -n "$failed" ] || ok moves="$moves" $(load_done) $(of_module)
}

move_round() {
	: >/tmp/targets
	n=$round
	snapshot >/tmp/before
	for irq in $queue_irqs; do
		cpu=$((n % count))
		try write_affinity "$irq" "$cpu" || return
		echo "$irq $cpu" >>/tmp/targets
		n=$((n + 1))
		moves=$((moves + 1))
	done
	at_home
}

# Each is taken on its CPU of /tmp/targets; from then on again, and nowhere else.
at_home() {
	arrived || return
	snapshot >/tmp/before
	sleep 0.2
	arrived && try stray /tmp/targets /tmp/before /tmp/after
}

# The kernel has dealt them out for good: it refuses to move them, and they stay.
do_fixed() {
	: >/tmp/targets
	refused=0
	load_on || return
	for irq in $queue_irqs; do
		home=$(cat "/proc/irq/$irq/effective_affinity_list")
		text=$(write_affinity "$irq" $(((home + 1) % count)) 2>&1) && {
			load_off
			wrong "interrupt $irq was moved"
			return
		}
		# EPERM, in older kernels EIO.
		case $text in
		*"Operation not permitted" | *"Input/output error") refused=$((refused + 1)) ;;
		esac
		echo "$irq $home" >>/tmp/targets
	done
	snapshot >/tmp/before
	at_home && stayed=yes || stayed=
	load_off || return
	[ -z "$stayed" ] || ok refused="$refused" $(load_done) cpus=$(awk '
		{ homes[$2] } END { print length(homes) }' /tmp/targets)
}

# All are disabled for a while, again and again: none comes meanwhile, and none that
# was kept is lost. With VIS that takes a register write only for what was kept.
# times=N
do_hold() {
	hold=$(function_of)/hold
	taken=0
	load_on || return
	eval "$(of_module | tr ' ' '\n')"
	resent_before=$resent writes_before=$writes
	n=0
	while [ $n -lt "$times" ]; do
		echo 1 >"$hold"
		snapshot >/tmp/before
		sleep 0.1
		snapshot >/tmp/after
		echo 0 >"$hold"
		cmp -s /tmp/before /tmp/after || taken=$((taken + 1))
		sleep 0.1
		n=$((n + 1))
	done
	load_off || return
	eval "$(of_module | tr ' ' '\n')"
	resent=$((resent - resent_before)) writes=$((writes - writes_before))
	[ "$taken" = 0 ] || {
		wrong "interrupts were taken in $taken of $times holds"
		return
	}
	[ $mode != vis ] || [ $writes = $resent ] || {
		wrong "masks took $writes register writes, $resent interrupts were kept"
		return
	}
	ok holds="$times" $(load_done) mode="$mode" masked="$masked" kept="$resent" writes="$writes"
}
