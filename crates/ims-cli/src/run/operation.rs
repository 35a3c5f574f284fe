// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The work of the run: operations made from a seed, and what they must have done.

use ims_dsa::layout::{Completion, Descriptor, Flags, Opcode, Status};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

/// A small generator, so that a run can be repeated from its seed
/// (xorshift64*, Vigna 2016).
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not give neighbouring streams.
        let mixed = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        Self(mixed | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        let bound = u64::from(bound.max(1));
        u32::try_from(((self.next() >> 32) * bound) >> 32).unwrap_or(0)
    }
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    NoOp,
    Move,
    Fill,
    Compare,
    ComparePattern,
    Dualcast,
    Crc,
    CopyCrc,
}

impl Kind {
    /// Moves most often, as accelerators are used.
    const MIX: [Self; 12] = [
        Self::NoOp,
        Self::Move,
        Self::Move,
        Self::Move,
        Self::Move,
        Self::Fill,
        Self::Fill,
        Self::Compare,
        Self::ComparePattern,
        Self::Dualcast,
        Self::Crc,
        Self::CopyCrc,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::NoOp => "no-op",
            Self::Move => "memory move",
            Self::Fill => "fill",
            Self::Compare => "compare",
            Self::ComparePattern => "compare pattern",
            Self::Dualcast => "dualcast",
            Self::Crc => "CRC",
            Self::CopyCrc => "copy with CRC",
        }
    }

    const fn opcode(self) -> Opcode {
        match self {
            Self::NoOp => Opcode::NoOp,
            Self::Move => Opcode::MemoryMove,
            Self::Fill => Opcode::Fill,
            Self::Compare => Opcode::Compare,
            Self::ComparePattern => Opcode::ComparePattern,
            Self::Dualcast => Opcode::Dualcast,
            Self::Crc => Opcode::Crc,
            Self::CopyCrc => Opcode::CopyCrc,
        }
    }
}

/// Where one operation's record and buffers are in its guest's memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buffers {
    pub(super) record: u64,
    pub(super) source: u64,
    pub(super) destination: u64,
    pub(super) second: u64,
    /// Bytes in each buffer.
    pub(super) size: u32,
}

/// An operation that was submitted, and what it must come to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    seed: u64,
    size: u32,
    /// A compare whose buffers differ, and where.
    differs_at: Option<u32>,
    pub(super) descriptor: Descriptor,
}

/// Fills `into` with the bytes that `seed` stands for.
fn pattern(seed: u64, into: &mut [u8]) {
    let mut random = Random::new(seed);
    for chunk in into.chunks_mut(8) {
        let bytes = random.next().to_le_bytes();
        for (byte, new) in chunk.iter_mut().zip(bytes) {
            *byte = new;
        }
    }
}

/// Fills `into` with the eight bytes of `seed`, over and over.
fn repeat(seed: u64, into: &mut [u8]) {
    let fill = seed.to_le_bytes();
    for (to, from) in into.iter_mut().zip(fill.iter().cycle()) {
        *to = *from;
    }
}

impl Operation {
    /// Writes the inputs of a random operation into memory and makes its
    /// descriptor, which names interrupt `handle`.
    pub(super) fn prepare(
        random: &mut Random,
        buffers: &Buffers,
        memory: &GuestMemoryMmap<()>,
        handle: u16,
        scratch: &mut Vec<u8>,
    ) -> Result<Self, vm_memory::GuestMemoryError> {
        let mut kind = pick(random);
        // Both destinations of a dualcast must have the same offset in a page.
        if kind == Kind::Dualcast && !(buffers.second - buffers.destination).is_multiple_of(4096) {
            kind = Kind::Move;
        }
        let seed = random.next();
        let size = 64 + random.below((buffers.size - 64) / 8 + 1) * 8;
        let different = random.below(4) == 0;
        let compares = matches!(kind, Kind::Compare | Kind::ComparePattern);
        let differs_at = (compares && different).then(|| random.below(size));

        scratch.resize(size as usize, 0);
        match kind {
            Kind::ComparePattern => repeat(seed, scratch),
            _ => pattern(seed, scratch),
        }
        if kind == Kind::Compare {
            memory.write_slice(scratch, GuestAddress(buffers.destination))?;
        }
        if let Some(byte) = differs_at.and_then(|at| scratch.get_mut(at as usize)) {
            *byte ^= 0x5a;
        }
        if !matches!(kind, Kind::NoOp | Kind::Fill) {
            memory.write_slice(scratch, GuestAddress(buffers.source))?;
        }
        memory.write_slice(&[0; 32], GuestAddress(buffers.record))?;

        let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD | Flags::REQUEST_INTERRUPT;
        let mut descriptor = Descriptor::new(kind.opcode(), flags);
        descriptor.completion = buffers.record.into();
        descriptor.handle = handle.into();
        if kind != Kind::NoOp {
            descriptor.size = size.into();
            descriptor.source = match kind {
                Kind::Fill => seed.into(),
                _ => buffers.source.into(),
            };
            descriptor.destination = match kind {
                Kind::ComparePattern => seed.into(),
                Kind::Crc => 0.into(),
                _ => buffers.destination.into(),
            };
            if kind == Kind::Dualcast {
                descriptor.extra = buffers.second.into();
            }
        }
        Ok(Self {
            kind,
            seed,
            size,
            differs_at,
            descriptor,
        })
    }

    /// Bytes of memory the operation worked on.
    pub(super) fn bytes(&self) -> u64 {
        if self.kind == Kind::NoOp {
            0
        } else {
            self.size.into()
        }
    }

    /// Checks record and memory; says what is wrong.
    pub(super) fn check(
        &self,
        record: &Completion,
        buffers: &Buffers,
        memory: &GuestMemoryMmap<()>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), String> {
        let name = self.kind.name();
        if record.status != Status::Success.code() {
            return Err(format!(
                "{name} of {} bytes ended with status {:#x}",
                self.size, record.status
            ));
        }
        // One half for what should be there, the other for what is.
        let size = self.size as usize;
        scratch.resize(2 * size, 0);
        let (expected, found) = scratch.split_at_mut(size);
        match self.kind {
            Kind::NoOp => return Ok(()),
            Kind::Compare | Kind::ComparePattern => return self.check_compare(record),
            Kind::Fill => repeat(self.seed, expected),
            Kind::Move | Kind::Dualcast | Kind::Crc | Kind::CopyCrc => {
                pattern(self.seed, expected);
            }
        }
        if matches!(self.kind, Kind::Crc | Kind::CopyCrc) {
            // A CRC of zero seed: the device inverts before and after.
            let crc = u64::from(crc32c::crc32c(expected));
            if record.value.get() & 0xffff_ffff != crc {
                return Err(format!(
                    "{name}: {:#x} instead of {crc:#x}",
                    record.value.get()
                ));
            }
        }
        if self.kind != Kind::Crc {
            same(name, expected, buffers.destination, memory, found)?;
        }
        if self.kind == Kind::Dualcast {
            same(name, expected, buffers.second, memory, found)?;
        }
        Ok(())
    }

    fn check_compare(&self, record: &Completion) -> Result<(), String> {
        let differs = u8::from(self.differs_at.is_some());
        if record.result != differs {
            let name = self.kind.name();
            return Err(format!(
                "{name}: result {} instead of {differs}",
                record.result
            ));
        }
        match self.differs_at {
            // The device may stop at the word that holds the difference.
            Some(at) if record.completed.get() / 8 * 8 > at => Err(format!(
                "compare: differs at byte {at}, not {}",
                record.completed.get()
            )),
            _ => Ok(()),
        }
    }
}

/// Compares guest memory with what it should hold.
fn same(
    name: &str,
    expected: &[u8],
    address: u64,
    memory: &GuestMemoryMmap<()>,
    found: &mut [u8],
) -> Result<(), String> {
    memory
        .read_slice(found, GuestAddress(address))
        .map_err(|error| format!("{name}: {error}"))?;
    match found
        .iter()
        .zip(expected)
        .position(|(is, should)| is != should)
    {
        None => Ok(()),
        Some(at) => Err(format!(
            "{name} of {} bytes: byte {at} is wrong",
            expected.len()
        )),
    }
}

fn pick(random: &mut Random) -> Kind {
    let at = random.below(u32::try_from(Kind::MIX.len()).unwrap_or(1));
    Kind::MIX.get(at as usize).copied().unwrap_or(Kind::NoOp)
}
