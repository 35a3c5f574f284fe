# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# How a guest reads what it is asked, `name[:key=value …]`, and answers.

# The keys of a verb, over the defaults that stand.
keys() {
	IFS=:
	set -- $1
	unset IFS
	name=$1
	shift
	for pair; do
		eval "${pair%%=*}=\${pair#*=}"
	done
	as=${as:-$name}
}

# Does the verb whose keys were read; fails only if there is none.
carry_out() {
	type "do_$name" >/dev/null 2>&1 || return 1
	"do_$name" || true
}

ok() {
	say "IMS-TEST $as ok $*"
}

wrong() {
	say "IMS-TEST $as FAIL $*"
	return 1
}

# Runs a command; what it printed is why the verb failed, if it did.
try() {
	text=$("$@" 2>&1) || wrong "$*:" $text
}
