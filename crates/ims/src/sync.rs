// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The atomics of the data path: `core`'s, or `loom`'s in a model check.
//!
//! Every shipping module takes its atomics from here, so that a model check
//! compiles the very code that ships.

#[cfg(not(loom))]
pub use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(loom)]
pub use loom::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

/// A value on cache lines of its own: two lines, because x86 prefetches pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Padded<T>(pub T);

/// A value that is set once and stays: what a reader finds, it finds in place.
///
/// The standard library's holds the value itself, which saves the data path a
/// dependent load each time it looks a segment up.
#[cfg(feature = "std")]
pub(crate) use std::sync::OnceLock as Once;

/// A value that is set once and stays. Two that set it at a time both make it, and
/// one is kept.
#[cfg(not(feature = "std"))]
pub(crate) struct Once<T>(once_cell::race::OnceBox<T>);

#[cfg(not(feature = "std"))]
impl<T> Once<T> {
    pub(crate) const fn new() -> Self {
        Self(once_cell::race::OnceBox::new())
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.get()
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        self.0.get_or_init(|| alloc::boxed::Box::new(make()))
    }
}

/// A value that whoever comes first sets, and nobody waits: two that come at once
/// both make it, and one is kept.
#[cfg(not(loom))]
pub(crate) use once_cell::race::OnceBox;

/// The same in a model, which must see how the value is published.
#[cfg(loom)]
#[derive(Debug)]
pub(crate) struct OnceBox<T> {
    set: AtomicU32,
    value: std::sync::OnceLock<Box<T>>,
}

#[cfg(loom)]
impl<T> OnceBox<T> {
    pub(crate) fn new() -> Self {
        Self {
            set: AtomicU32::new(0),
            value: std::sync::OnceLock::new(),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        // weaken: stands for another crate's ordering
        let set = self.set.load(Ordering::Acquire) != 0;
        self.value.get().filter(|_| set).map(|value| &**value)
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> Box<T>) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let made = make();
        let first = self
            .set
            // weaken: stands for another crate's orderings
            .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        // A model runs one thread at a time, and another only from the next atomic on.
        if first {
            let _ = self.value.set(made);
        }
        self.value
            .get()
            .map(|value| &**value)
            .expect("set by the first")
    }
}

/// What a waiting control half does between two looks.
///
/// A few looks spin; after that a hosted build gives the CPU to somebody else,
/// for the one waited for may need it.
#[cfg(not(loom))]
pub(crate) fn relax(looks: &mut u32) {
    *looks = looks.saturating_add(1);
    #[cfg(feature = "std")]
    if *looks > 64 {
        std::thread::yield_now();
    } else {
        core::hint::spin_loop();
    }
    #[cfg(not(feature = "std"))]
    core::hint::spin_loop();
}
