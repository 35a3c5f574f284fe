/* SPDX-License-Identifier: GPL-2.0-only */
/* What the driver of the example device `ims_store` knows of it. */
#ifndef IMS_STORE_DEVICE_H
#define IMS_STORE_DEVICE_H

#include <linux/container_of.h>

#include "ims.h"
#include "store_regs.h"

struct ims_example {
	struct ims_store ims;
	void __iomem *regs;
	struct ims_irq msix[IMS_MSIX_VECTORS];
};

static inline struct ims_example *to_example(struct ims_store *ims)
{
	return container_of(ims, struct ims_example, ims);
}

/* store_main.c: its registers. */
bool ims_example_alive(struct ims_store *ims);
u32 ims_example_read(struct ims_store *ims, unsigned int reg);
void ims_example_write(struct ims_store *ims, unsigned int reg, u32 value);

/* store_msix.c: its MSI-X vectors, all but the first after enabling. */
int ims_msix_take_all(struct ims_example *example);
void ims_msix_give_all(struct ims_example *example);
int ims_msix_fire(struct ims_example *example, struct ims_report *report);

/* store_test_*.c */
int ims_test_registers(struct ims_store *ims, struct ims_report *report);
int ims_test_gone(struct ims_store *ims, struct ims_report *report);
int ims_test_msix(struct ims_store *ims, struct ims_report *report);
int ims_test_spread(struct ims_store *ims, struct ims_report *report);
int ims_test_held(struct ims_store *ims, struct ims_report *report);
int ims_test_absent(struct ims_store *ims, struct ims_report *report);

#endif
