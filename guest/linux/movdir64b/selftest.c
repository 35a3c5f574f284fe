// SPDX-License-Identifier: GPL-2.0-only
/* Whether instructions are told from others, and all that are executed arrive. */

#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>

#include "movdir64b.h"

#define NONE MOVDIR64B_NO_REG

static const struct {
	u8 text[MOVDIR64B_LONGEST];
	u8 count;
	int ret;
	struct movdir64b_insn insn;
} encodings[] = {
	/* (%rdx), %rax */
	{ { 0x66, 0x0f, 0x38, 0xf8, 0x02 }, 5, 0, { 5, 0, 2, NONE } },
	/* 0x10(%rbx,%rcx,4), %r8 */
	{ { 0x66, 0x44, 0x0f, 0x38, 0xf8, 0x44, 0x8b, 0x10 }, 8, 0,
	  { 8, 8, 3, 1, 2, .displacement = 0x10 } },
	/* -1(%rip), %rdi */
	{ { 0x66, 0x0f, 0x38, 0xf8, 0x3d, 0xff, 0xff, 0xff, 0xff }, 9, 0,
	  { 9, 7, MOVDIR64B_RIP, NONE, .displacement = -1 } },
	/* (%r13), %rax has no form without a displacement. */
	{ { 0x66, 0x41, 0x0f, 0x38, 0xf8, 0x45, 0x80 }, 7, 0,
	  { 7, 0, 13, NONE, .displacement = -128 } },
	/* (%r12), %r15 has none without a SIB; and %r12 is an index, %rsp is none. */
	{ { 0x66, 0x45, 0x0f, 0x38, 0xf8, 0x3c, 0x24 }, 7, 0, { 7, 15, 12, NONE } },
	{ { 0x66, 0x42, 0x0f, 0x38, 0xf8, 0x04, 0x24 }, 7, 0, { 7, 0, 4, 12 } },
	/* 0x7fffffff(,%rsi,8), %rcx */
	{ { 0x66, 0x0f, 0x38, 0xf8, 0x0c, 0xf5, 0xff, 0xff, 0xff, 0x7f }, 10, 0,
	  { 10, 1, NONE, 6, 3, .displacement = 0x7fffffff } },
	/* %gs:(%esi), %eax; the last of two segments; one that means nothing. */
	{ { 0x64, 0x67, 0x65, 0x66, 0x2e, 0x0f, 0x38, 0xf8, 0x06 }, 9, 0,
	  { 9, 0, 6, NONE, 0, true, MOVDIR64B_GS } },
	/* A REX that is not the last prefix is none. */
	{ { 0x48, 0x66, 0x0f, 0x38, 0xf8, 0x02 }, 6, -ENOEXEC },
	{ { 0x66, 0x48, 0x41, 0x0f, 0x38, 0xf8, 0x02 }, 7, -ENOEXEC },
	/* MOVDIRI, ENQCMD, ENQCMDS, ADCX; a register as a source; LOCK. */
	{ { 0x0f, 0x38, 0xf9, 0x02 }, 4, -ENOEXEC },
	{ { 0xf2, 0x0f, 0x38, 0xf8, 0x02 }, 5, -ENOEXEC },
	{ { 0x66, 0xf3, 0x0f, 0x38, 0xf8, 0x02 }, 6, -ENOEXEC },
	{ { 0x66, 0x0f, 0x38, 0xf6, 0x02 }, 5, -ENOEXEC },
	{ { 0x66, 0x0f, 0x38, 0xf8, 0xc2 }, 5, -ENOEXEC },
	{ { 0xf0, 0x66, 0x0f, 0x38, 0xf8, 0x02 }, 6, -ENOEXEC },
	{ { 0x0f, 0x38, 0xf8, 0x02 }, 4, -ENOEXEC },
	/* Too little of it. */
	{ { 0x66 }, 0, -EAGAIN },
	{ { 0x66, 0x0f, 0x38, 0xf8 }, 4, -EAGAIN },
	{ { 0x66, 0x0f, 0x38, 0xf8, 0x44, 0x8b }, 6, -EAGAIN },
	{ { 0x66, 0x0f, 0x38, 0xf8, 0x3d, 0xff, 0xff, 0xff }, 8, -EAGAIN },
	/* Too long for any. */
	{ { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f, 0x38, 0xf8,
	    0x3d }, 15, -ENOEXEC },
};

static bool same(const struct movdir64b_insn *a, const struct movdir64b_insn *b)
{
	return a->length == b->length && a->dest == b->dest && a->base == b->base &&
	       a->index == b->index && a->scale == b->scale && a->narrow == b->narrow &&
	       a->segment == b->segment && a->displacement == b->displacement;
}

static int decoding(void)
{
	struct movdir64b_insn insn;
	unsigned int n;
	int ret;

	for (n = 0; n < ARRAY_SIZE(encodings); n++) {
		ret = movdir64b_decode(encodings[n].text, encodings[n].count, &insn);
		if (ret != encodings[n].ret || (!ret && !same(&insn, &encodings[n].insn))) {
			pr_err("IMS-TEST decode FAIL encoding %u: %d, length %u\n", n, ret,
			       insn.length);
			return -EIO;
		}
	}
	pr_info("IMS-TEST decode ok encodings=%zu\n", ARRAY_SIZE(encodings));
	return 0;
}

int movdir64b_selftest(const char *way, int counted)
{
	bool probed = counted == MOVDIR64B_KPROBE;
	unsigned long before[MOVDIR64B_WAYS];
	unsigned long expected;
	const char *why = "";
	int forms, n, sites = 0;

	if (decoding())
		return -EIO;
	if (probed) {
		sites = movdir64b_probe(THIS_MODULE);
		if (sites < 0) {
			pr_err("IMS-TEST move-%s FAIL no probes (%d)\n", way, sites);
			return sites;
		}
	}
	memcpy(before, movdir64b_counts, sizeof(before));
	forms = movdir64b_selftest_forms(&why);
	if (probed)
		movdir64b_unprobe(THIS_MODULE);
	if (forms < 0) {
		pr_err("IMS-TEST move-%s FAIL %s\n", way, why);
		return forms;
	}
	if (probed && sites != forms) {
		pr_err("IMS-TEST move-%s FAIL %d forms at %d sites\n", way, forms, sites);
		return -EIO;
	}
	/* Each went the way it should, and no other way. */
	for (n = 0; n < MOVDIR64B_WAYS; n++) {
		expected = before[n] + (n == counted ? forms : 0);
		if (movdir64b_counts[n] != expected) {
			pr_err("IMS-TEST move-%s FAIL count %d is %lu, must be %lu\n", way, n,
			       movdir64b_counts[n], expected);
			return -EIO;
		}
	}
	pr_info("IMS-TEST move-%s ok forms=%d sites=%d\n", way, forms, sites);
	return 0;
}
