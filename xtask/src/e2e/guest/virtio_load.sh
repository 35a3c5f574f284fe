# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Work for a virtio device from every CPU, each piece of which waits for its
# interrupt: it stops if one is lost.

# Lets a worker go on each CPU.
load_on() {
	find_irqs
	rm -f /tmp/stop /tmp/over* /tmp/rounds* /tmp/bad*
	case $device in
	hwrng) worker=read_entropy ;;
	*)
		worker=write_and_read
		try mount -t ext2 "/dev/$device" /mnt || return
		;;
	esac
	snapshot >/tmp/begin
	for cpu in $cpus; do
		work "$cpu" &
		taskset -p -c "$cpu" $! >/dev/null
		# Who moves interrupts shall not wait for those who make them.
		renice -n 19 -p $!
	done
}

work() {
	n=0
	while [ ! -e /tmp/stop ]; do
		$worker "$1" || echo "CPU $1 round $n" >>/tmp/bad
		n=$((n + 1))
	done
	echo $n >"/tmp/rounds$1"
	: >"/tmp/over$1"
}

# A file, past the page cache both ways.
write_and_read() {
	dd if=/tmp/source of=/mnt/file$1 bs=16k oflag=direct conv=notrunc 2>/dev/null || return
	dd if=/mnt/file$1 bs=16k iflag=direct 2>/dev/null | cmp -s - /tmp/source
}

# As much as was asked for.
read_entropy() {
	[ "$(dd if=/dev/hwrng bs=64 count=16 2>/dev/null | wc -c)" = 1024 ]
}

# Ends the workers. All must end, and none may have found anything wrong; then what
# they wrote is compared once more, as it is on the device.
load_off() {
	: >/tmp/stop
	patience=200
	for cpu in $cpus; do
		while [ ! -e "/tmp/over$cpu" ]; do
			[ $((patience = patience - 1)) -gt 0 ] || {
				wrong "CPU $cpu waits for its device for good;" $(grown /tmp/before /tmp/after)
				return
			}
			sleep 0.1
		done
	done
	[ ! -e /tmp/bad ] || {
		wrong "not as it was written:" $(cat /tmp/bad)
		return
	}
	[ $worker = read_entropy ] && return
	try umount /mnt || return
	echo 3 >/proc/sys/vm/drop_caches
	try mount -t ext2 "/dev/$device" /mnt || return
	for cpu in $cpus; do
		try cmp /tmp/source /mnt/file$cpu || return
	done
	try umount /mnt
}

# How much was done, and interrupts taken on each CPU meanwhile. Every round compares
# what it wrote.
load_done() {
	rounds_done=0
	for cpu in $cpus; do
		rounds_done=$((rounds_done + $(cat /tmp/rounds$cpu)))
	done
	snapshot >/tmp/after
	echo load_rounds="$rounds_done" taken=$(grown /tmp/begin /tmp/after | awk -v cpus="$count" '
		{ taken[$2] += $3 }
		END { for (cpu = 0; cpu < cpus; cpu++) printf "%s%d", cpu ? "," : "", taken[cpu] }')
}
