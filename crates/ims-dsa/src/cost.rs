// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a descriptor costs its queue: an engine's time, counted in work.
//!
//! One unit for each descriptor, those in a batch too, and one for each page it
//! transfers, which takes an engine about as long. While an engine waits for a
//! page, the wait is charged as the work it could have done.

use std::time::Duration;

use crate::layout::{Descriptor, Opcode};

const PAGE: u64 = 4096;
/// About how many units an engine does in a millisecond.
const UNITS_A_MILLISECOND: u128 = 2000;

/// The cost as far as the descriptor tells it, before it is checked. A batch tells
/// how many there are and not how large.
pub(crate) fn asked(descriptor: &Descriptor) -> u64 {
    let size = u64::from(descriptor.size.get());
    match Opcode::from_code(descriptor.opcode()) {
        None | Some(Opcode::NoOp | Opcode::Drain) => 1,
        Some(Opcode::Batch) => done(size.saturating_add(1), 0),
        Some(_) => done(1, size),
    }
}

/// The cost of what was done.
pub(crate) fn done(descriptors: u64, bytes: u64) -> u64 {
    descriptors.max(1).saturating_add(bytes / PAGE)
}

/// The cost of an engine that waited.
pub(crate) fn waited(time: Duration) -> u64 {
    u64::try_from(time.as_millis().saturating_mul(UNITS_A_MILLISECOND)).unwrap_or(u64::MAX)
}
