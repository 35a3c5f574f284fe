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
