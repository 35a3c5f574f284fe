// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compare (8.3.6) and compare pattern (8.3.7).
//!
//! Memory is compared a page at a time from copies of it: a guest that writes
//! meanwhile changes the answer, never what the engine does.

use super::fill::Pattern;
use super::{Outcome, count, judged, length};
use crate::layout::Descriptor;
use crate::memory::{Access, AddressSpace};
use crate::transfer::{CHUNK, Fault, cut, window};

pub(super) fn memory(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let (first, second) = (descriptor.source.get(), descriptor.destination.get());
    let mut copies = ([0; CHUNK], [0; CHUNK]);
    compare(descriptor, |done, wanted| {
        let a = window(space, first, done, wanted, Access::Read)?;
        let b = window(space, second, done, a.len(), Access::Read)?;
        let a = cut(a, b.len());
        let left = copies.0.get_mut(..a.len()).unwrap_or_default();
        let right = copies.1.get_mut(..b.len()).unwrap_or_default();
        a.copy_to(left);
        b.copy_to(right);
        Ok(matched(left, right))
    })
}

pub(super) fn pattern(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let pattern = Pattern::new(descriptor.destination.get());
    let mut copy = [0; CHUNK];
    compare(descriptor, |done, wanted| {
        let piece = window(space, descriptor.source.get(), done, wanted, Access::Read)?;
        let bytes = copy.get_mut(..piece.len()).unwrap_or_default();
        piece.copy_to(bytes);
        Ok(matched(bytes, pattern.at(done, bytes.len())))
    })
}

/// How many bytes of a piece are alike, and whether all of them are.
enum Matched {
    All(usize),
    Until(usize),
}

fn matched(left: &[u8], right: &[u8]) -> Matched {
    if left == right {
        return Matched::All(left.len());
    }
    let alike = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    Matched::Until(alike)
}

/// Compares piece after piece until one differs, a fault, or the end.
fn compare(
    descriptor: &Descriptor,
    mut piece: impl FnMut(usize, usize) -> Result<Matched, Fault>,
) -> Outcome {
    let length = length(descriptor);
    let mut done = 0;
    while done < length {
        match piece(done, (length - done).min(CHUNK)) {
            Ok(Matched::All(bytes)) => done += bytes,
            Ok(Matched::Until(bytes)) => {
                let difference = count(done + bytes);
                let outcome = Outcome::done(difference);
                let status = judged(descriptor, descriptor.expected_result() == 1);
                return Outcome {
                    status,
                    result: 1,
                    completed: difference,
                    ..outcome
                };
            }
            Err(fault) => return Outcome::faulted(fault, count(done)),
        }
    }
    Outcome {
        status: judged(descriptor, descriptor.expected_result() == 0),
        ..Outcome::done(descriptor.size.get())
    }
}
