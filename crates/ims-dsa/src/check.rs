// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The checks a descriptor passes before it is executed (5.4, 5.5).
//!
//! Which flags an operation allows and which bytes it reserves stands in one
//! table, after tables 5-3 to 5-5. Of the fields reserved on a condition the
//! completion record address and the interrupt handle are let pass: drivers
//! fill them in whether or not the flag that uses them is set.

use crate::layout::{Descriptor, Flags, Opcode, Span, Status};
use crate::limits::{Capabilities, Limits};

mod operands;

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
        Opcode::CreateDelta => (
            Flags::CHECK_RESULT | WRITES | one | two | three,
            RECORD,
            &[(38, 40), (52, 56), (57, 64)],
        ),
        Opcode::ApplyDelta => (WRITES | one | two, Flags::NONE, &[(38, 40), (44, 64)]),
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
        Opcode::DifCheck => (
            one,
            Flags::NONE,
            &[(24, 32), (38, 40), (41, 42), (43, 48), (56, 64)],
        ),
        Opcode::DifInsert => (WRITES | one | two, Flags::NONE, &[(38, 41), (43, 56)]),
        Opcode::DifStrip => (
            WRITES | one | two,
            Flags::NONE,
            &[(38, 40), (41, 42), (43, 48), (56, 64)],
        ),
        Opcode::DifUpdate => (WRITES | one | two, Flags::NONE, &[(38, 40), (43, 48)]),
        Opcode::CacheFlush => (WRITES | two, Flags::NONE, &[(16, 24), (38, 64)]),
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
    if !descriptor.is_zero(form.reserved)
        || !seed_fields_are_clear(descriptor, opcode)
        || !dif_flags_are_clear(descriptor, opcode)
    {
        return Err(Status::ReservedNotZero.into());
    }
    operands::check(descriptor, opcode, rules)?;
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
    if rules.limits.block_on_fault && !matches!(opcode, Opcode::NoOp | Opcode::Drain) {
        allowed = allowed | Flags::BLOCK_ON_FAULT;
    }
    let cache_control = match opcode {
        Opcode::CacheFlush => rules.capabilities.flush_cache_control,
        _ => rules.capabilities.cache_control,
    };
    if !cache_control {
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

/// Of the DIF flags some bits are reserved, and where the source has no DIF,
/// those that take from it (8.3.15).
fn dif_flags_are_clear(descriptor: &Descriptor, opcode: Opcode) -> bool {
    let dif = descriptor.dif();
    let general = dif.general.reserved() == 0;
    let destination = dif.destination.reserved() == 0;
    match opcode {
        Opcode::DifCheck | Opcode::DifStrip => general,
        Opcode::DifInsert => general && destination && !dif.destination.passes(),
        Opcode::DifUpdate => general && destination,
        _ => true,
    }
}

#[cfg(test)]
mod tests;
