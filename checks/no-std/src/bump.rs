// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An allocator that only goes forward: enough for a program that ends soon.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// How much there is, in bytes.
const SIZE: usize = 4 << 20;

/// The largest alignment that is given: the arena's own.
const ALIGN: usize = 4096;

#[repr(C, align(4096))]
struct Arena(UnsafeCell<[u8; SIZE]>);

/// The allocator: an arena and how much of it is taken.
pub(crate) struct Bump {
    arena: Arena,
    taken: AtomicUsize,
}

// SAFETY: the arena is only ever reached through the ranges that `alloc` gives
// out, and those do not overlap, whatever thread asks: `taken` only grows, by
// one atomic update an allocation.
unsafe impl Sync for Bump {}

impl Bump {
    pub(crate) const fn new() -> Self {
        Self {
            arena: Arena(UnsafeCell::new([0; SIZE])),
            taken: AtomicUsize::new(0),
        }
    }
}

// SAFETY: `alloc` gives a range that lies in the arena, is aligned as asked and
// is given to nobody else, or null; it does not unwind. `dealloc` does nothing,
// so that no range is given twice.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > ALIGN {
            return ptr::null_mut();
        }
        let end = |taken: usize| {
            let begin = taken.checked_next_multiple_of(layout.align())?;
            begin.checked_add(layout.size()).filter(|end| *end <= SIZE)
        };
        match self
            .taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, end)
        {
            Ok(taken) => {
                let begin = taken.next_multiple_of(layout.align());
                // SAFETY: `end` answered for the same `taken`, so `begin` is no
                // larger than the arena.
                unsafe { self.arena.0.get().cast::<u8>().add(begin) }
            }
            Err(_) => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
