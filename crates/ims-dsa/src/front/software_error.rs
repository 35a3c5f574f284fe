// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SWERROR (9.2.14): the first error, until software takes it back.

use crate::errors::SoftwareError;
use crate::layout::event::{ErrorDetail, ErrorWord};

/// The register.
#[derive(Debug, Default)]
pub(super) struct ErrorRegister {
    word: ErrorWord,
    detail: ErrorDetail,
    address: u64,
}

/// What an error says, without whether it is valid.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    word: ErrorWord,
    detail: ErrorDetail,
    address: u64,
}

impl Entry {
    /// An error of the device itself.
    pub(super) fn device(error: u8) -> Self {
        Self {
            word: ErrorWord::new().with_error(error),
            detail: ErrorDetail::new(),
            address: 0,
        }
    }

    /// A descriptor that queue `queue` did not take.
    pub(super) fn refused(error: u8, queue: u8, opcode: u8, pasid: u32) -> Self {
        let word = ErrorWord::new()
            .with_error(error)
            .with_queue_valid(true)
            .with_queue(queue)
            .with_descriptor_valid(true)
            .with_opcode(opcode)
            .with_pasid(pasid);
        Self {
            word,
            ..Self::device(error)
        }
    }

    /// An error of a descriptor of queue `queue`, by software's number.
    pub(super) fn descriptor(error: &SoftwareError, queue: Option<u8>) -> Self {
        let word = ErrorWord::new()
            .with_error(error.status.code())
            .with_queue_valid(queue.is_some())
            .with_queue(queue.unwrap_or(0))
            .with_descriptor_valid(true)
            .with_opcode(error.opcode)
            .with_pasid(error.pasid.map_or(0, ims::store::Pasid::get))
            .with_batch(error.batch_index.is_some())
            .with_write(error.fault.is_some_and(|(_, write)| write));
        let detail = ErrorDetail::new()
            .with_batch_index(batch_index(error))
            .with_invalid_flags(error.invalid_flags.bits());
        Self {
            word,
            detail,
            address: error.fault.map_or(0, |(address, _)| address),
        }
    }
}

/// A batch has at most 2^15 descriptors.
pub(super) fn batch_index(error: &SoftwareError) -> u16 {
    let index = error.batch_index.unwrap_or(0);
    u16::try_from(index).unwrap_or(u16::MAX)
}

impl ErrorRegister {
    /// An error happened. Says whether it is the one the register now holds;
    /// otherwise it is only known that there were more.
    #[must_use]
    pub(super) fn add(&mut self, entry: Entry) -> bool {
        if self.word.valid() {
            self.word.set_overflow(true);
            return false;
        }
        let overflow = self.word.overflow();
        self.word = entry.word.with_valid(true).with_overflow(overflow);
        self.detail = entry.detail;
        self.address = entry.address;
        true
    }

    /// Its 8 bytes number `index`.
    pub(super) fn quad(&self, index: u64) -> u64 {
        match index {
            0 => self.word.into_bits(),
            1 => self.detail.into_bits(),
            2 => self.address,
            _ => 0,
        }
    }

    /// Ones were written to its first word.
    pub(super) fn acknowledge(&mut self, ones: u32) {
        let ones = ErrorWord::from_bits(ones.into());
        let overflow = self.word.overflow() && !ones.overflow();
        if ones.valid() {
            *self = Self::default();
        }
        self.word.set_overflow(overflow);
    }
}
