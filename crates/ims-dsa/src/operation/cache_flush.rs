// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Cache flush (8.3.18): makes sure of the memory, and has nothing to flush.
//!
//! What an engine here reads and writes is the memory the processor's caches
//! keep coherent, so a flush changes nothing that can be seen. What is left of
//! it are its page faults. Memory that outlives the machine's power needs more,
//! and is not for this device.

use super::{Outcome, count, length};
use crate::layout::Descriptor;
use crate::memory::{Access, AddressSpace};
use crate::transfer::window;

pub(super) fn execute(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let (base, length) = (descriptor.destination.get(), length(descriptor));
    let mut done = 0;
    while done < length {
        // Nothing is changed, so memory that is only readable can be flushed.
        match window(space, base, done, length - done, Access::Read) {
            Ok(piece) => done += piece.len(),
            Err(fault) => return Outcome::faulted(fault, count(done)),
        }
    }
    Outcome::done(descriptor.size.get())
}
