// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The single interrupt.

/// A level-triggered interrupt: a pin of an IOAPIC, INTx of a function.
pub trait Line: Send + Sync + 'static {
    /// Asserts it, or not. Called with each change, never twice with the same, by one
    /// thread at a time. A fall and the rise after it may be told late, but each rise
    /// is told after what it stands for: a line may be edges of that.
    fn set(&self, asserted: bool);
}

impl<L: Line + ?Sized> Line for std::sync::Arc<L> {
    fn set(&self, asserted: bool) {
        (**self).set(asserted);
    }
}
