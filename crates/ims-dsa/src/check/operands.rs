// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sizes, alignment and overlap: what a descriptor's operands must be.

use super::Rules;
use crate::layout::{
    DELTA_ALIGN, DELTA_ENTRY_SIZE, Descriptor, MAX_DELTA_TRANSFER, MIN_DELTA_ROOM, Opcode, Status,
    TUPLE_SIZE,
};

/// Checks the operands of a descriptor whose flags and reserved fields are
/// right.
pub(super) fn check(descriptor: &Descriptor, opcode: Opcode, rules: &Rules) -> Result<(), Status> {
    let size = descriptor.size.get();
    let (source, destination) = (descriptor.source.get(), descriptor.destination.get());
    match opcode {
        Opcode::NoOp | Opcode::Drain => return Ok(()),
        Opcode::Batch => return batch(descriptor, rules),
        _ => {}
    }
    if size == 0 || size > rules.limits.max_transfer() {
        return Err(Status::TransferSize);
    }
    match opcode {
        Opcode::MemoryMove if rules.capabilities.overlapping_copy => Ok(()),
        Opcode::MemoryMove => apart((source, size), (destination, size)),
        Opcode::CopyCrc => {
            apart((source, size), (destination, size))?;
            seed(descriptor)
        }
        Opcode::Crc => seed(descriptor),
        Opcode::CreateDelta => create_delta(descriptor),
        Opcode::ApplyDelta => apply_delta(descriptor),
        Opcode::Dualcast => dualcast(source, destination, descriptor.extra.get(), size),
        Opcode::DifCheck | Opcode::DifInsert | Opcode::DifStrip | Opcode::DifUpdate => {
            dif(descriptor, opcode)
        }
        _ => Ok(()),
    }
}

/// Refuses two stretches of memory, by address and length in bytes, that share
/// a byte.
fn apart(a: (u64, impl Into<u64>), b: (u64, impl Into<u64>)) -> Result<(), Status> {
    let ((a, a_length), (b, b_length)) = ((a.0, a.1.into()), (b.0, b.1.into()));
    let overlap = if a <= b {
        b - a < a_length
    } else {
        a - b < b_length
    };
    if overlap {
        Err(Status::Overlap)
    } else {
        Ok(())
    }
}

fn seed(descriptor: &Descriptor) -> Result<(), Status> {
    aligned(&[descriptor.seed_address.get()], 4)
}

fn aligned(addresses: &[u64], to: u32) -> Result<(), Status> {
    if addresses.iter().all(|a| a.is_multiple_of(to.into())) {
        Ok(())
    } else {
        Err(Status::AddressAlignment)
    }
}

/// 8.3.8. The room need not be whole entries: what is left over stays as it is.
fn create_delta(descriptor: &Descriptor) -> Result<(), Status> {
    let (size, room) = (descriptor.size.get(), descriptor.delta_room());
    let record = descriptor.delta_address();
    let sources = [descriptor.source.get(), descriptor.destination.get()];
    delta_transfer(size)?;
    aligned(&[sources[0], sources[1], record], DELTA_ALIGN)?;
    if room < MIN_DELTA_ROOM {
        return Err(Status::DeltaRecordSize);
    }
    sources
        .into_iter()
        .try_for_each(|source| apart((source, size), (record, room)))
}

/// 8.3.9.
fn apply_delta(descriptor: &Descriptor) -> Result<(), Status> {
    let (size, delta_size) = (descriptor.size.get(), descriptor.delta_size());
    let (record, destination) = (descriptor.source.get(), descriptor.destination.get());
    delta_transfer(size)?;
    aligned(&[record, destination], DELTA_ALIGN)?;
    if delta_size == 0 || !(delta_size as usize).is_multiple_of(DELTA_ENTRY_SIZE) {
        return Err(Status::DeltaRecordSize);
    }
    apart((record, delta_size), (destination, size))
}

/// A delta operation's transfer is words, and no more than offsets reach.
fn delta_transfer(size: u32) -> Result<(), Status> {
    if size > MAX_DELTA_TRANSFER {
        return Err(Status::TransferSize);
    }
    aligned(&[size.into()], DELTA_ALIGN)
}

/// 8.3.14 to 8.3.17: whole blocks, and apart where they are copied.
fn dif(descriptor: &Descriptor, opcode: Opcode) -> Result<(), Status> {
    let size = u64::from(descriptor.size.get());
    let block = descriptor.dif().general.block_size() as u64;
    let with_tuple = block + TUPLE_SIZE as u64;
    let (taken, given) = match opcode {
        Opcode::DifInsert => (block, with_tuple),
        Opcode::DifStrip => (with_tuple, block),
        _ => (with_tuple, with_tuple),
    };
    if !size.is_multiple_of(taken) {
        return Err(Status::TransferSize);
    }
    if opcode == Opcode::DifCheck {
        return Ok(());
    }
    let written = size / taken * given;
    apart(
        (descriptor.source.get(), size),
        (descriptor.destination.get(), written),
    )
}

fn dualcast(source: u64, first: u64, second: u64, size: u32) -> Result<(), Status> {
    if (first ^ second) & 0xfff != 0 {
        return Err(Status::DualcastAlignment);
    }
    apart((source, size), (first, size))?;
    apart((source, size), (second, size))?;
    apart((first, size), (second, size))
}

fn batch(descriptor: &Descriptor, rules: &Rules) -> Result<(), Status> {
    let least = if rules.capabilities.batch_of_one {
        1
    } else {
        2
    };
    let count = descriptor.size.get();
    if count < least || count > rules.limits.max_batch() {
        return Err(Status::DescriptorCount);
    }
    if !descriptor.source.get().is_multiple_of(64) {
        return Err(Status::ListAlignment);
    }
    Ok(())
}
