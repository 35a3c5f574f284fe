// SPDX-License-Identifier: GPL-2.0-only
/* Commands, and the interrupt handles they are asked for. */

#include <linux/bitfield.h>
#include <linux/io.h>
#include <linux/iopoll.h>

#include "dsa.h"

/* With more virtual CPUs than real ones an answer may be seconds late. */
#define PATIENCE_US	(60 * USEC_PER_SEC)
#define POLL_US		20

/* Gives a command and waits for its end; -EIO and a line in the log if it fails. */
int dsa_command(struct ims_dsa *dsa, enum dsa_command command, u32 operand, u16 *result)
{
	u32 status;
	int ret;

	writel(FIELD_PREP(DSA_CMD_CODE, command) | FIELD_PREP(DSA_CMD_OPERAND, operand),
	       dsa->regs + DSA_CMD);
	ret = readl_poll_timeout(dsa->regs + DSA_CMDSTATUS, status,
				 !(status & DSA_CMDSTATUS_ACTIVE), POLL_US, PATIENCE_US);
	if (ret)
		return ret;
	if (FIELD_GET(DSA_CMDSTATUS_ERROR, status)) {
		pci_err(dsa->ims.pdev, "command %d of %x ended with %lx\n", command, operand,
			FIELD_GET(DSA_CMDSTATUS_ERROR, status));
		return -EIO;
	}
	if (result)
		*result = FIELD_GET(DSA_CMDSTATUS_RESULT, status);
	return 0;
}

/* Without CMDCAP there are the commands before those for handles. */
bool dsa_can(struct ims_dsa *dsa, enum dsa_command command)
{
	if (!(dsa->gencap & DSA_GENCAP_CMDCAP))
		return command < DSA_REQUEST_HANDLE;
	return readl(dsa->regs + DSA_CMDCAP) & BIT(command);
}

/* Where handles are not asked for, one is the slot's index. */
int dsa_open(struct ims_store *ims, unsigned int slot)
{
	struct ims_dsa *dsa = to_dsa(ims);

	if (!dsa->by_request) {
		dsa->handles[slot] = slot;
		return 0;
	}
	return dsa_command(dsa, DSA_REQUEST_HANDLE, slot | DSA_HANDLE_IMS, &dsa->handles[slot]);
}

void dsa_close(struct ims_store *ims, unsigned int slot)
{
	struct ims_dsa *dsa = to_dsa(ims);

	if (dsa->by_request)
		dsa_command(dsa, DSA_RELEASE_HANDLE, dsa->handles[slot] | DSA_HANDLE_IMS, NULL);
}
