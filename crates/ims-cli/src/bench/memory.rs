// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The system's allocator, and how many bytes it has given out.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

#[global_allocator]
static ALLOCATOR: Counting = Counting {
    live: AtomicUsize::new(0),
};

/// How many bytes are allocated now, as they were asked for.
pub(super) fn live() -> usize {
    ALLOCATOR.live.load(Ordering::Relaxed)
}

struct Counting {
    /// Wraps rather than ever being wrong by an order of threads.
    live: AtomicUsize,
}

impl Counting {
    fn add(&self, pointer: *mut u8, size: usize) -> *mut u8 {
        if !pointer.is_null() {
            self.live.fetch_add(size, Ordering::Relaxed);
        }
        pointer
    }
}

// SAFETY: every method passes its arguments on to `System` unchanged and returns
// what it answers, so `System`'s own guarantees hold; counting allocates nothing
// and cannot unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is passed on.
        let pointer = unsafe { System.alloc(layout) };
        self.add(pointer, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is passed on.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        self.add(pointer, layout.size())
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.live.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller had `pointer` from this allocator, that is from
        // `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as for `dealloc`; the caller's promise about `size` is passed on.
        let moved = unsafe { System.realloc(pointer, layout, size) };
        if !moved.is_null() {
            self.live.fetch_sub(layout.size(), Ordering::Relaxed);
            self.live.fetch_add(size, Ordering::Relaxed);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Other tests allocate at the same time, but none so much.
    const MUCH: usize = 1 << 30;

    #[test]
    fn what_is_allocated_grown_and_freed_is_counted() {
        let before = live();
        let mut bytes = Vec::<u8>::with_capacity(MUCH);
        assert!(live() - before >= MUCH);
        bytes.reserve_exact(2 * MUCH);
        assert!(live() - before >= 2 * MUCH);
        drop(bytes);
        assert!(live().abs_diff(before) < MUCH);
    }
}
