/* SPDX-License-Identifier: GPL-2.0-only */
/*
 *	 main: which way?
 *	  |         |
 *	  v         v
 *	trap      follow ----> probe	a driver's text: its sites
 *	  |  \                   |
 *	  |   user (task work)   |	#UD: kernel | user	int3: kernel
 *	  v    v                 v
 *	 decode --> operands --> store --> counts
 */
#ifndef MOVDIR64B_H
#define MOVDIR64B_H

#include <linux/types.h>

struct module;
struct pt_regs;

/* What one instruction moves, and what it must be aligned to (SDM, MOVDIR64B). */
#define MOVDIR64B_BYTES 64
/* No instruction of x86 is longer. */
#define MOVDIR64B_LONGEST 15

/* Numbers of registers, as ModRM and SIB have them with REX. */
#define MOVDIR64B_NO_REG	0xff
#define MOVDIR64B_RIP		0x10

enum movdir64b_segment {
	MOVDIR64B_FLAT,
	MOVDIR64B_FS,
	MOVDIR64B_GS,
};

/* One instruction: *dest = *(segment + base + (index << scale) + displacement). */
struct movdir64b_insn {
	u8 length;
	u8 dest;
	u8 base;
	u8 index;
	u8 scale;
	bool narrow;	/* addresses are of 32 bits */
	enum movdir64b_segment segment;
	s32 displacement;
};

/* Linear addresses. */
struct movdir64b_operands {
	unsigned long dest;
	unsigned long source;
};

/*
 * Reads 64-bit code. -ENOEXEC: another instruction; -EAGAIN: @count bytes are
 * too few to tell.
 */
int movdir64b_decode(const u8 *text, size_t count, struct movdir64b_insn *insn);

/* What @insn at @ip names, with the registers of @regs. */
void movdir64b_operands(const struct movdir64b_insn *insn, struct pt_regs *regs,
			unsigned long ip, struct movdir64b_operands *operands);

/* By which way an instruction came to be carried out. */
enum movdir64b_way {
	MOVDIR64B_UD_KERNEL,
	MOVDIR64B_UD_USER,
	MOVDIR64B_KPROBE,
	MOVDIR64B_WAYS,
};

/* Of each way; written under the lock of the stores. */
extern unsigned long movdir64b_counts[MOVDIR64B_WAYS];

/*
 * Does what the kernel's instruction does and counts it. Any context. -EFAULT:
 * the source cannot be read or the destination not written; -EINVAL: the
 * destination is not aligned.
 */
int movdir64b_store_kernel(const struct movdir64b_operands *operands, enum movdir64b_way way);

/* The same for the current process. May sleep. */
int movdir64b_store_user(const struct movdir64b_operands *operands);

/* Invalid opcodes, from the kernel and from processes. */
int movdir64b_trap_begin(void);
void movdir64b_trap_end(void);
/*
 * Whether this CPU traps on the instruction, by trying. A hypervisor can hide the
 * instruction from CPUID, but it cannot take it away.
 */
bool movdir64b_takes_trap(void);

/* Leaves the process's instruction at @ip to its way back to user mode. */
int movdir64b_user_defer(unsigned long ip);
/* Returns when nothing that was deferred is left. Nothing may be deferred anew. */
void movdir64b_user_drain(void);

/* Probes on all instructions in the text of @mod; returns how many, or an error. */
int movdir64b_probe(struct module *mod);
void movdir64b_unprobe(struct module *mod);

/*
 * Keeps this module loaded while the driver @name is, and with @probed has
 * probes on its instructions all that time.
 */
int movdir64b_follow_begin(const char *name, bool probed);
void movdir64b_follow_end(void);

/* Says what it found, in lines that programs read. */
int movdir64b_selftest(const char *way, int counted);

/* Executes the form that drivers have. */
void movdir64b_execute(void *dest, const void *source);

/* Runs every form there is in this text; the number of forms, or an error. */
int movdir64b_selftest_forms(const char **why);

#endif
