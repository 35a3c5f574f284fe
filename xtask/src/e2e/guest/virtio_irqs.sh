# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Interrupts of a virtio device, as the kernel counts them.

cpus=$(seq 0 $(($(grep -c ^processor /proc/cpuinfo) - 1)))
count=$(echo $cpus | wc -w)

# Learns what the device's interrupts are, `queue_irqs` and how many in `irqs`. A single
# interrupt has the device's own name; others add what they are for.
find_irqs() {
	set -- $(awk -v name="$(virtio_name)" '
		$NF == name || index($NF, name "-") == 1 {
			n++
			if ($NF != name "-config") queues = queues " " $1 + 0
		}
		END { print n + 0 queues }' /proc/interrupts)
	irqs=$1
	shift
	queue_irqs=$*
}

# Lines `irq count count …`, a count for each CPU, of those that queues have.
snapshot() {
	awk -v wanted=" $queue_irqs " '
		NR == 1 { cpus = NF; next }
		index(wanted, " " $1 + 0 " ") && $1 ~ /^[0-9]+:$/ {
			line = $1 + 0
			for (i = 2; i < 2 + cpus; i++) line = line " " $i
			print line
		}' /proc/interrupts
}

# What grew between two snapshots: lines `irq cpu by`.
grown() {
	awk 'NR == FNR { for (i = 2; i <= NF; i++) before[$1, i] = $i; next }
		{ for (i = 2; i <= NF; i++) if ($i > before[$1, i]) print $1, i - 2, $i - before[$1, i] }
	' "$1" "$2"
}

# By `echo`, which says why it could not be written.
write_affinity() {
	echo "$(printf %x $((1 << $2)))" >"/proc/irq/$1/smp_affinity"
}

# Waits until each interrupt was taken where it is meant to be, since /tmp/before.
arrived() {
	patience=100
	while :; do
		snapshot >/tmp/after
		missing=$(grown /tmp/before /tmp/after | absent)
		[ -z "$missing" ] && return
		[ $((patience = patience - 1)) -gt 0 ] || break
		sleep 0.1
	done
	wrong "not taken where they were moved to (irq CPU): $missing;" \
		"taken (irq CPU times):" $(grown /tmp/before /tmp/after)
}

# Of the pairs `irq cpu` of /tmp/targets those that did not grow.
absent() {
	awk 'NR == FNR { grew[$1, $2]; next } !(($1, $2) in grew) { printf "%s %s, ", $1, $2 }' \
		- /tmp/targets
}

# Fails if an interrupt of the targets $1 was taken elsewhere between two snapshots.
stray() {
	grown "$2" "$3" | awk '
		NR == FNR { target[$1] = $2; next }
		$2 != target[$1] { print "interrupt", $1, "of CPU", target[$1], "came", $3, "times on CPU", $2; bad = 1 }
		END { exit bad }' "$1" -
}
