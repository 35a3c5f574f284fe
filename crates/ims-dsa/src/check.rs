// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks a descriptor passes before it is executed (5.4, 5.5).
//!
//! Which flags an operation allows and which bytes it reserves stands in one
//! table, after tables 5-3 to 5-5. Of the fields reserved on a condition the
//! completion record address and the interrupt handle are let pass: drivers
//! fill them in whether or not the flag that uses them is set.

use crate::layout::{Descriptor, Flags, Opcode, Span, Status};
use crate::limits::{Capabilities, Limits};
use crate::operation::overlap;

/// What a descriptor is checked against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) capabilities: Capabilities,
    pub(crate) limits: Limits,
    pub(crate) in_batch: bool,
}

/// Why a descriptor was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    pub(crate) invalid_flags: Flags,
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self {
            status,
            invalid_flags: Flags::NONE,
        }
    }
}

/// What an operation is called with.
struct Form {
    allowed: Flags,
    required: Flags,
    reserved: &'static [Span],
}

const RECORD: Flags = Flags::from_bits(Flags::RECORD_VALID.bits() | Flags::REQUEST_RECORD.bits());
const WRITES: Flags = Flags::from_bits(
    Flags::CACHE_CONTROL.bits() | Flags::STRICT_ORDER.bits() | Flags::READBACK.bits(),
);
const CRC: Flags = Flags::from_bits(
    Flags::READ_SEED.bits()
        | Flags::BYPASS_CRC_REFLECTION.bits()
        | Flags::BYPASS_DATA_REFLECTION.bits(),
);

/// Tables 5-3 and 5-5.
fn form(opcode: Opcode) -> Form {
    let (one, two, three) = (
        Flags::TC_ADDRESS_1,
        Flags::TC_ADDRESS_2,
        Flags::TC_ADDRESS_3,
    );
    let (allowed, required, reserved): (_, _, &'static [Span]) = match opcode {
        Opcode::NoOp => (Flags::NONE, Flags::NONE, &[(16, 36), (38, 64)]),
        Opcode::Batch => (one, Flags::NONE, &[(24, 32), (38, 64)]),
        Opcode::Drain => (Flags::NONE, Flags::NONE, &[(16, 36), (38, 64)]),
        Opcode::MemoryMove => (WRITES | one | two, Flags::NONE, &[(38, 64)]),
        Opcode::Fill => (WRITES | two, Flags::NONE, &[(38, 64)]),
        Opcode::Compare => (
            Flags::CHECK_RESULT | one | two,
            RECORD,
            &[(38, 40), (41, 64)],
        ),
        Opcode::ComparePattern => (Flags::CHECK_RESULT | one, RECORD, &[(38, 40), (41, 64)]),
        Opcode::Dualcast => (
            WRITES | one | two | three,
            Flags::NONE,
            &[(38, 40), (48, 64)],
        ),
        Opcode::Crc => (
            CRC | one | three,
            RECORD,
            &[(24, 32), (38, 40), (44, 48), (56, 64)],
        ),
        Opcode::CopyCrc => (
            CRC | WRITES | one | two | three,
            RECORD,
            &[(38, 40), (44, 48), (56, 64)],
        ),
    };
    Form {
        allowed,
        required,
        reserved,
    }
}

/// Checks everything but the completion record's address and the interrupt.
///
/// # Errors
/// The status the descriptor ends with.
pub(crate) fn check(descriptor: &Descriptor, rules: &Rules) -> Result<Opcode, Refusal> {
    let opcode = operation(descriptor, rules)?;
    let form = form(opcode);
    flags(descriptor, opcode, &form, rules)?;
    if !descriptor.is_zero(form.reserved) || !seed_fields_are_clear(descriptor, opcode) {
        return Err(Status::ReservedNotZero.into());
    }
    operands(descriptor, opcode, rules)?;
    Ok(opcode)
}

fn operation(descriptor: &Descriptor, rules: &Rules) -> Result<Opcode, Status> {
    Opcode::from_code(descriptor.opcode())
        .filter(|opcode| rules.limits.operations.contains(*opcode))
        .filter(|opcode| !(rules.in_batch && matches!(opcode, Opcode::Batch | Opcode::Drain)))
        .ok_or(Status::InvalidOpcode)
}

fn flags(
    descriptor: &Descriptor,
    opcode: Opcode,
    form: &Form,
    rules: &Rules,
) -> Result<(), Refusal> {
    let flags = descriptor.flags();
    let mut allowed = form.allowed | Flags::RECORD_VALID | Flags::REQUEST_INTERRUPT;
    if flags.contains(Flags::RECORD_VALID) {
        allowed = allowed | Flags::REQUEST_RECORD | Flags::TC_RECORD;
    }
    if rules.in_batch {
        allowed = allowed | Flags::FENCE;
    }
    if !rules.capabilities.cache_control {
        allowed = allowed & !Flags::CACHE_CONTROL;
    }
    if !rules.capabilities.readback {
        allowed = allowed & !Flags::READBACK;
    }
    let mut invalid = flags & !allowed | form.required & !flags;
    let reports = flags & (Flags::REQUEST_RECORD | Flags::REQUEST_INTERRUPT);
    if opcode == Opcode::Drain && reports.is_empty() {
        invalid = invalid | Flags::REQUEST_RECORD;
    }
    if invalid.is_empty() {
        Ok(())
    } else {
        Err(Refusal {
            status: Status::InvalidFlags,
            invalid_flags: invalid,
        })
    }
}

/// Of seed and seed address, the one not used is reserved (8.3.12).
fn seed_fields_are_clear(descriptor: &Descriptor, opcode: Opcode) -> bool {
    match opcode {
        Opcode::Crc | Opcode::CopyCrc if descriptor.flags().contains(Flags::READ_SEED) => {
            descriptor.is_zero(&[(40, 44)])
        }
        Opcode::Crc | Opcode::CopyCrc => descriptor.is_zero(&[(48, 56)]),
        _ => true,
    }
}

fn operands(descriptor: &Descriptor, opcode: Opcode, rules: &Rules) -> Result<(), Status> {
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
        Opcode::MemoryMove
            if !rules.capabilities.overlapping_copy && overlap(source, destination, size) =>
        {
            Err(Status::Overlap)
        }
        Opcode::CopyCrc if overlap(source, destination, size) => Err(Status::Overlap),
        Opcode::Dualcast => dualcast(source, destination, descriptor.extra.get(), size),
        Opcode::Crc | Opcode::CopyCrc if !descriptor.seed_address.get().is_multiple_of(4) => {
            Err(Status::AddressAlignment)
        }
        _ => Ok(()),
    }
}

fn dualcast(source: u64, first: u64, second: u64, size: u32) -> Result<(), Status> {
    if (first ^ second) & 0xfff != 0 {
        return Err(Status::DualcastAlignment);
    }
    let clash = overlap(source, first, size)
        || overlap(source, second, size)
        || overlap(first, second, size);
    if clash { Err(Status::Overlap) } else { Ok(()) }
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

#[cfg(test)]
mod tests;
