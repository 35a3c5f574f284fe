// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Page tables: every address is itself, by pages of 2 MiB (SDM Vol. 3, 5.5.4).

use std::ops::Range;

use super::layout::{APIC, DIRECTORIES, IOAPIC, Layout, MMIO, PAGE, PDPT, PML4};
use super::memory::Memory;

/// Present and writable.
const TABLE: u64 = 0b11;
/// Caching disabled.
const UNCACHED: u64 = 1 << 4;
/// A page rather than a table.
const LARGE: u64 = 1 << 7;

/// Maps memory, what the bus has, the I/O APIC, and the APIC if it has registers in memory. All
/// else is not present.
pub(super) fn write(memory: &Memory, layout: &Layout, x2apic: bool) {
    memory.store(PML4, PDPT | TABLE);
    for directory in 0..4 {
        let table = DIRECTORIES + directory * 0x1000;
        memory.store(PDPT + directory * 8, table | TABLE);
    }
    map(memory, 0..layout.end, 0);
    map(memory, MMIO, UNCACHED);
    map(memory, IOAPIC..IOAPIC + PAGE, UNCACHED);
    if !x2apic {
        map(memory, APIC..APIC + PAGE, UNCACHED);
    }
}

fn map(memory: &Memory, addresses: Range<u64>, flags: u64) {
    for page in addresses.start / PAGE..addresses.end.div_ceil(PAGE) {
        memory.store(
            DIRECTORIES + page * 8,
            (page * PAGE) | LARGE | TABLE | flags,
        );
    }
}
