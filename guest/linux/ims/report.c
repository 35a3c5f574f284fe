// SPDX-License-Identifier: GPL-2.0-only
/* What a test found, for a line that programs read. */

#include <linux/export.h>
#include <linux/kernel.h>

#include "ims.h"

void ims_value(struct ims_report *report, const char *format, ...)
{
	va_list arguments;
	size_t left = sizeof(report->values) - report->length;

	va_start(arguments, format);
	report->length += scnprintf(report->values + report->length, left, " ");
	left = sizeof(report->values) - report->length;
	report->length += vscnprintf(report->values + report->length, left, format, arguments);
	va_end(arguments);
}
EXPORT_SYMBOL_GPL(ims_value);

int ims_wrong(struct ims_report *report, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vscnprintf(report->why, sizeof(report->why), format, arguments);
	va_end(arguments);
	return -EIO;
}
EXPORT_SYMBOL_GPL(ims_wrong);
