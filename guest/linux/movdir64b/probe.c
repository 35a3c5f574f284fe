// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a CPU that has the instruction, under a hypervisor that cannot carry
 * it to a page it traps: the instruction is found in a module's text and a probe
 * is put on each; it then never reaches the CPU.
 */

#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/ptrace.h>
#include <linux/slab.h>

#include "movdir64b.h"

struct site {
	struct kprobe probe;
	struct movdir64b_insn insn;
	struct module *mod;
	struct list_head list;
};

static LIST_HEAD(sites);
static DEFINE_MUTEX(sites_lock);

/* Nonzero: done, go on at regs->ip. Zero: the CPU is to execute it, and to fault. */
static int instead(struct kprobe *probe, struct pt_regs *regs)
{
	struct site *site = container_of(probe, struct site, probe);
	unsigned long ip = (unsigned long)probe->addr;
	struct movdir64b_operands operands;

	movdir64b_operands(&site->insn, regs, ip, &operands);
	if (movdir64b_store_kernel(&operands, MOVDIR64B_KPROBE))
		return 0;
	regs->ip = ip + site->insn.length;
	return 1;
}
NOKPROBE_SYMBOL(instead);

/* A probe with this one is never made a jump, which could not skip anything. */
static void never(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}
NOKPROBE_SYMBOL(never);

/* The length of what is probed; 0: these bytes lie within another instruction. */
static int probe_at(struct module *mod, u8 *text, const struct movdir64b_insn *insn)
{
	struct site *site = kzalloc(sizeof(*site), GFP_KERNEL);
	int ret;

	if (!site)
		return -ENOMEM;
	site->insn = *insn;
	site->mod = mod;
	site->probe.addr = (kprobe_opcode_t *)text;
	site->probe.pre_handler = instead;
	site->probe.post_handler = never;
	ret = register_kprobe(&site->probe);
	if (ret) {
		kfree(site);
		return ret == -EILSEQ ? 0 : ret;
	}
	list_add(&site->list, &sites);
	return insn->length;
}

static void unprobe_locked(struct module *mod)
{
	struct site *site, *next;

	list_for_each_entry_safe(site, next, &sites, list) {
		if (site->mod != mod)
			continue;
		unregister_kprobe(&site->probe);
		list_del(&site->list);
		kfree(site);
	}
}

int movdir64b_probe(struct module *mod)
{
	u8 *text = mod->mem[MOD_TEXT].base;
	size_t size = mod->mem[MOD_TEXT].size;
	struct movdir64b_insn insn;
	int found = 0, ret = 0;
	size_t at;

	mutex_lock(&sites_lock);
	for (at = 0; at < size; at += max(ret, 1)) {
		ret = movdir64b_decode(text + at, size - at, &insn);
		if (ret)
			continue;
		ret = probe_at(mod, text + at, &insn);
		if (ret < 0)
			break;
		found += ret > 0;
	}
	if (ret < 0 && at < size)
		unprobe_locked(mod);
	else
		ret = found;
	mutex_unlock(&sites_lock);
	return ret;
}

void movdir64b_unprobe(struct module *mod)
{
	mutex_lock(&sites_lock);
	unprobe_locked(mod);
	mutex_unlock(&sites_lock);
}
