// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How many bytes the program has allocated.

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// How many bytes are allocated now, as they were asked for.
pub(super) fn live() -> usize {
    ALLOCATOR.current_usage()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Other tests allocate and free at the same time, but none so much.
    const MUCH: usize = 1 << 28;

    #[test]
    fn what_is_allocated_grown_and_freed_is_counted() {
        let before = live();
        let mut bytes = Vec::<u8>::with_capacity(2 * MUCH);
        assert!(live() > before + MUCH);
        bytes.reserve_exact(4 * MUCH);
        assert!(live() > before + 3 * MUCH);
        drop(bytes);
        assert!(live().abs_diff(before) < MUCH);
    }
}
