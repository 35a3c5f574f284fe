// SPDX-License-Identifier: Apache-2.0 OR MIT
//! DIF check, insert, strip and update (8.3.14 to 8.3.17), block by block.
//!
//! ```text
//!   source        check           insert          strip           update
//!   block │ DIF   verify          ·               verify          verify
//!                                 │               │               │
//!   destination   ·               block │ DIF     block           block │ DIF
//! ```
//!
//! A block is read once, with its DIF, and written whole or not at all: the
//! position told at a fault or a mismatch is that of a block, and the tags told
//! are that block's, so that the rest can be asked for with them.

mod generate;
mod guard;
mod verify;

use zerocopy::{FromBytes, IntoBytes};

use self::generate::Generator;
use self::guard::Guard;
use self::verify::Verifier;
use super::{Outcome, count, length};
use crate::layout::{Descriptor, DifMismatch, MAX_BLOCK, Status, TUPLE_SIZE, Tuple};
use crate::memory::{Access, AddressSpace};
use crate::transfer::{Fault, at, read, write};

pub(super) fn check(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let verifier = Verifier::new(descriptor);
    Work::new(descriptor, None, Some(verifier), None).run(space)
}

pub(super) fn insert(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let destination = descriptor.destination.get();
    let generator = Generator::new(descriptor);
    Work::new(descriptor, Some(destination), None, Some(generator)).run(space)
}

pub(super) fn strip(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let destination = descriptor.destination.get();
    let verifier = Verifier::new(descriptor);
    Work::new(descriptor, Some(destination), Some(verifier), None).run(space)
}

pub(super) fn update(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let destination = descriptor.destination.get();
    let (verifier, generator) = (Verifier::new(descriptor), Generator::new(descriptor));
    let work = Work::new(
        descriptor,
        Some(destination),
        Some(verifier),
        Some(generator),
    );
    work.run(space)
}

/// What is done to each block.
struct Work {
    source: u64,
    destination: Option<u64>,
    /// Bytes of the source, its DIFs among them.
    length: usize,
    /// Bytes of a block without its DIF.
    block: usize,
    /// Bytes a block has in the source.
    taken: usize,
    /// Bytes a block has in the destination.
    given: usize,
    guard: Guard,
    /// There is one if the source's blocks have DIFs.
    verifier: Option<Verifier>,
    /// There is one if the destination's blocks get DIFs.
    generator: Option<Generator>,
}

/// Why the work ended before its end.
enum Stop {
    Fault(Fault),
    Mismatch(DifMismatch),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Work {
    fn new(
        descriptor: &Descriptor,
        destination: Option<u64>,
        verifier: Option<Verifier>,
        generator: Option<Generator>,
    ) -> Self {
        let general = descriptor.dif().general;
        let block = general.block_size();
        let with_tuple = |has: bool| block + if has { TUPLE_SIZE } else { 0 };
        Self {
            source: descriptor.source.get(),
            destination,
            length: length(descriptor),
            block,
            taken: with_tuple(verifier.is_some()),
            given: with_tuple(generator.is_some()),
            guard: Guard::new(general),
            verifier,
            generator,
        }
    }

    fn run(mut self, space: &dyn AddressSpace) -> Outcome {
        let mut buffer = [0; MAX_BLOCK + TUPLE_SIZE];
        for index in 0..self.length / self.taken {
            if let Err(stop) = self.block(space, index, &mut buffer) {
                return self.stopped(stop, index * self.taken);
            }
            self.verifier.iter_mut().for_each(Verifier::advance);
            self.generator.iter_mut().for_each(Generator::advance);
        }
        self.told(Outcome::done(count(self.length)))
    }

    /// Does the block of this index by way of `buffer`.
    fn block(&self, space: &dyn AddressSpace, index: usize, buffer: &mut [u8]) -> Result<(), Stop> {
        let source = at(self.source, index * self.taken, Access::Read)?;
        read(
            space,
            source,
            buffer.get_mut(..self.taken).unwrap_or_default(),
        )?;
        let (block, rest) = buffer.split_at_mut_checked(self.block).unwrap_or_default();
        let guard = self.guard.of(block);
        let mut tuple = Tuple::default();
        if let Some(verifier) = &self.verifier {
            tuple = Tuple::read_from_prefix(rest).map_or(tuple, |(tuple, _)| tuple);
            verifier.verify(guard, &tuple).map_err(Stop::Mismatch)?;
        }
        if let Some(generator) = &self.generator {
            // The buffer has room for the largest block and its DIF.
            generator
                .tuple(guard, &tuple)
                .write_to_prefix(rest)
                .unwrap_or_default();
        }
        if let Some(destination) = self.destination {
            let destination = at(destination, index * self.given, Access::Write)?;
            write(
                space,
                destination,
                buffer.get(..self.given).unwrap_or_default(),
            )?;
        }
        Ok(())
    }

    fn stopped(&self, stop: Stop, done: usize) -> Outcome {
        self.told(match stop {
            Stop::Fault(fault) => Outcome::faulted(fault, count(done)),
            Stop::Mismatch(mismatch) => Outcome {
                result: mismatch.into(),
                ..Outcome::stopped(Status::DifError, count(done))
            },
        })
    }

    /// The outcome, with the tags of the block that would be next.
    fn told(&self, outcome: Outcome) -> Outcome {
        Outcome {
            value: self.verifier.as_ref().map_or(0, Verifier::next),
            tail: self.generator.as_ref().map_or(0, Generator::next),
            ..outcome
        }
    }
}
