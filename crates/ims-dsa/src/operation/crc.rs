// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CRC generation (8.3.12) and copy with CRC generation (8.3.13): CRC32-C.

use super::{Outcome, count, length};
use crate::layout::{Descriptor, Flags};
use crate::memory::{Access, AddressSpace};
use crate::transfer::{CHUNK, Fault, cut, read, window};

pub(super) fn execute(
    descriptor: &Descriptor,
    space: &dyn AddressSpace,
    destination: Option<u64>,
) -> Outcome {
    let mut crc = match seed(descriptor, space) {
        Ok(seed) => Crc::new(seed, descriptor.flags()),
        Err(fault) => return Outcome::faulted(fault, 0),
    };
    let length = length(descriptor);
    let mut buffer = [0; CHUNK];
    let mut done = 0;
    while done < length {
        let wanted = (length - done).min(CHUNK);
        let bytes = buffer.get_mut(..wanted).unwrap_or_default();
        match piece(
            space,
            descriptor.source.get(),
            destination,
            done,
            bytes,
            &mut crc,
        ) {
            Ok(bytes) => done += bytes,
            Err(fault) => {
                let value = crc.value().into();
                return Outcome {
                    value,
                    ..Outcome::faulted(fault, count(done))
                };
            }
        }
    }
    Outcome {
        value: crc.value().into(),
        ..Outcome::done(descriptor.size.get())
    }
}

/// The seed, from the descriptor or from memory.
fn seed(descriptor: &Descriptor, space: &dyn AddressSpace) -> Result<u32, Fault> {
    if !descriptor.flags().contains(Flags::READ_SEED) {
        return Ok(descriptor.seed());
    }
    let mut bytes = [0; 4];
    read(space, descriptor.seed_address.get(), &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Takes in what source and destination both hold. The source is read once:
/// the CRC is that of the bytes copied, whatever a guest writes meanwhile.
fn piece(
    space: &dyn AddressSpace,
    source: u64,
    destination: Option<u64>,
    done: usize,
    buffer: &mut [u8],
    crc: &mut Crc,
) -> Result<usize, Fault> {
    let from = window(space, source, done, buffer.len(), Access::Read)?;
    let to = destination
        .map(|base| window(space, base, done, from.len(), Access::Write))
        .transpose()?;
    let length = to.as_ref().map_or(from.len(), |to| to.len());
    let bytes = buffer.get_mut(..length).unwrap_or_default();
    cut(from, length).copy_to(bytes);
    if let Some(to) = to {
        to.copy_from(bytes);
    }
    crc.take(bytes);
    Ok(length)
}

/// A CRC32-C in the making, in the bit order of appendix A.
struct Crc {
    /// As the `crc32c` crate has it: inverted, lowest bit first.
    crc: u32,
    flags: Flags,
}

impl Crc {
    fn new(seed: u32, flags: Flags) -> Self {
        // Bypassed, the seed is the plain register, highest bit first.
        let bypass = flags.contains(Flags::BYPASS_CRC_REFLECTION);
        Self {
            crc: if bypass { !seed.reverse_bits() } else { seed },
            flags,
        }
    }

    fn take(&mut self, bytes: &mut [u8]) {
        if self.flags.contains(Flags::BYPASS_DATA_REFLECTION) {
            bytes
                .iter_mut()
                .for_each(|byte| *byte = byte.reverse_bits());
        }
        self.crc = crc32c::crc32c_append(self.crc, bytes);
    }

    /// The CRC so far: also the seed that continues it.
    fn value(&self) -> u32 {
        let bypass = self.flags.contains(Flags::BYPASS_CRC_REFLECTION);
        if bypass {
            (!self.crc).reverse_bits()
        } else {
            self.crc
        }
    }
}
