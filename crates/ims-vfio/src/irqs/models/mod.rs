// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Models: raises against whatever a client asks meanwhile.
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 \
//!     cargo test -p ims-vfio --release --lib --target-dir target/loom loom_irqs
//! ```
//!
//! An eventfd is a count that is added to and read in one step each, as the kernel
//! has it; nothing else is told by it. What a device did before it raised, and a
//! client must see once it is signalled, is a count without an order of its own.
#![allow(clippy::unwrap_used, reason = "models are tests")]

mod cell;
mod pin;
mod wire;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};

use super::wire::Sign;

/// The client's end of an eventfd.
#[derive(Clone)]
struct Count(Arc<AtomicU64>);

impl Count {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(0)))
    }

    fn get(&self) -> u64 {
        self.0.fetch_add(0, Ordering::Relaxed)
    }
}

impl Sign for Count {
    fn give(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A client that looks, when it is signalled, at what was written before the raise.
struct Reader {
    count: Count,
    data: Arc<AtomicU64>,
}

impl Sign for Reader {
    fn give(&self) {
        assert_eq!(self.data.load(Ordering::Relaxed), 1, "came before its data");
        self.count.give();
    }
}
