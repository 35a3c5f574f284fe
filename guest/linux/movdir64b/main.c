// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lets the stock idxd driver submit to a device whose portals a hypervisor traps,
 * where the CPU or the hypervisor lacks MOVDIR64B. README.md says who needs it.
 */

#include <linux/bitops.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>
#include <asm/cpufeature.h>

#include "movdir64b.h"

static char *mode = "auto";
module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode, "ud: the CPU lacks the instruction; kprobe: the hypervisor lacks it; auto");

static char *driver = "idxd";
module_param(driver, charp, 0444);
MODULE_PARM_DESC(driver, "The module that submits");

static bool selftest;
module_param(selftest, bool, 0444);
MODULE_PARM_DESC(selftest, "Execute some, check what became of them, and say so");

/* What was chosen; for programs that read parameters. */
static char *way = "";
module_param(way, charp, 0444);
MODULE_PARM_DESC(way, "Read only: what mode=auto came to: ud, kprobe or none");

static bool lacking;

static unsigned long *capabilities(void)
{
	return (unsigned long *)boot_cpu_data.x86_capability;
}

/* With the trap taken, if the CPU may lack the instruction. */
static int choose(void)
{
	bool traps = lacking && movdir64b_takes_trap();

	if (!strcmp(mode, "ud") || !strcmp(mode, "kprobe"))
		way = mode;
	else if (strcmp(mode, "auto"))
		return -EINVAL;
	else if (traps)
		way = "ud";
	else if (boot_cpu_has(X86_FEATURE_HYPERVISOR))
		way = "kprobe";
	else
		way = "none";
	if (!strcmp(way, "ud") && !traps)
		pr_warn("movdir64b: this CPU has the instruction and takes no trap\n");
	return 0;
}

static int test(void)
{
	if (!strcmp(way, "kprobe"))
		return movdir64b_selftest(way, MOVDIR64B_KPROBE);
	/* A CPU that has it, and says so, takes no #UD: none is counted. */
	return movdir64b_selftest(way, lacking ? MOVDIR64B_UD_KERNEL : MOVDIR64B_WAYS);
}

static int __init movdir64b_init(void)
{
	bool traps = false, probes;
	int ret;

	lacking = !boot_cpu_has(X86_FEATURE_MOVDIR64B);
	if (lacking) {
		ret = movdir64b_trap_begin();
		if (ret)
			return ret;
		traps = true;
	}
	ret = choose();
	if (ret)
		goto no_traps;
	probes = !strcmp(way, "kprobe");
	/* Where it is not the way, nothing is to be hidden by it. */
	if (traps && strcmp(way, "ud")) {
		movdir64b_trap_end();
		traps = false;
	}
	if (selftest) {
		ret = test();
		if (ret)
			goto no_traps;
	}
	if (strcmp(way, "none")) {
		/* The driver looks when it is loaded: its alternatives ask this word. */
		if (lacking)
			set_bit(X86_FEATURE_MOVDIR64B, capabilities());
		ret = movdir64b_follow_begin(driver, probes);
		if (ret)
			goto no_capability;
	}
	pr_info("movdir64b: %s\n", way);
	return 0;

no_capability:
	if (lacking)
		clear_bit(X86_FEATURE_MOVDIR64B, capabilities());
no_traps:
	if (traps)
		movdir64b_trap_end();
	return ret;
}
module_init(movdir64b_init);

static void __exit movdir64b_exit(void)
{
	if (!strcmp(way, "none"))
		return;
	movdir64b_follow_end();
	if (lacking)
		clear_bit(X86_FEATURE_MOVDIR64B, capabilities());
	if (lacking && !strcmp(way, "ud"))
		movdir64b_trap_end();
}
module_exit(movdir64b_exit);

MODULE_DESCRIPTION("MOVDIR64B as eight stores, for portals that are trapped");
MODULE_LICENSE("GPL");
