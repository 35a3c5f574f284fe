// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory copy with dualcast (8.3.10): one source, two destinations.

use super::{Outcome, count, length};
use crate::layout::Descriptor;
use crate::memory::{Access, AddressSpace};
use crate::transfer::{CHUNK, Fault, cut, window};

pub(super) fn execute(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let length = length(descriptor);
    let mut buffer = [0; CHUNK];
    let mut done = 0;
    while done < length {
        let wanted = (length - done).min(CHUNK);
        match piece(
            descriptor,
            space,
            done,
            buffer.get_mut(..wanted).unwrap_or_default(),
        ) {
            Ok(bytes) => done += bytes,
            Err(fault) => return Outcome::faulted(fault, count(done)),
        }
    }
    Outcome::done(descriptor.size.get())
}

/// Copies what all three windows hold. The source is read once, so that both
/// destinations get the same even if a guest writes to it meanwhile.
fn piece(
    descriptor: &Descriptor,
    space: &dyn AddressSpace,
    done: usize,
    buffer: &mut [u8],
) -> Result<usize, Fault> {
    let from = window(
        space,
        descriptor.source.get(),
        done,
        buffer.len(),
        Access::Read,
    )?;
    let first = window(
        space,
        descriptor.destination.get(),
        done,
        from.len(),
        Access::Write,
    )?;
    let second = window(
        space,
        descriptor.extra.get(),
        done,
        first.len(),
        Access::Write,
    )?;
    let bytes = buffer.get_mut(..second.len()).unwrap_or_default();
    cut(from, bytes.len()).copy_to(bytes);
    cut(first, bytes.len()).copy_from(bytes);
    second.copy_from(bytes);
    Ok(bytes.len())
}
