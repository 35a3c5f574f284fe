// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Messages kept in a function's table. Source: PCI Express 6.0, 6.1.4 and 7.7.2.

use super::{InterruptError, Plan, Refusal};
use crate::message::Message;
use crate::registers::Registers;
use crate::transport::MsixPlace;

/// Bytes of an entry: address 64, data 32, control 32.
const ENTRY: u64 = 16;
/// Offset of data, with control in the high half.
const DATA: u64 = 8;
/// Offset of control.
const CONTROL: u64 = 12;
/// Control: masked.
const MASKED: u64 = 1;
/// The capability's first 32 bits: MSI-X is enabled.
const ENABLE: u32 = 1 << 31;
/// All vectors are masked.
const MASK_ALL: u32 = 1 << 30;

/// MSI-X of a function, enabled.
#[derive(Debug)]
pub struct Msix<R> {
    registers: R,
    place: MsixPlace,
    vectors: u32,
}

impl<R: Registers> Msix<R> {
    pub(crate) fn set_up(registers: R, place: MsixPlace, plan: &Plan<'_>) -> Result<Self, Refusal> {
        let there = (place.control >> 16 & 0x7ff) + 1;
        let vectors = plan.vectors();
        if vectors > there {
            return Err(Refusal::Vectors(there));
        }
        let msix = Self {
            registers,
            place,
            vectors,
        };
        // All masked at first, as some functions look at the table only once enabled.
        msix.control(ENABLE | MASK_ALL);
        for (vector, message) in (0..).zip(plan.messages) {
            msix.write(msix.entry(vector), *message);
        }
        msix.control(ENABLE);
        Ok(msix)
    }

    /// Keeps a vector's interrupts. When it returns, the function has seen it.
    pub(super) fn mask(&self, vector: u32) -> Result<(), InterruptError> {
        let entry = self.checked(vector)?;
        self.write_control(entry, MASKED);
        self.flush(entry);
        Ok(())
    }

    /// Sends them.
    pub(super) fn unmask(&self, vector: u32) -> Result<(), InterruptError> {
        let entry = self.checked(vector)?;
        self.write_control(entry, 0);
        Ok(())
    }

    /// Gives it another message. The entry must not change while it is unmasked.
    pub(super) fn move_to(&self, vector: u32, message: Message) -> Result<(), InterruptError> {
        let entry = self.checked(vector)?;
        self.write_control(entry, MASKED);
        self.write(entry, message);
        self.flush(entry);
        Ok(())
    }

    /// Back to the single interrupt.
    pub(crate) fn disable(&self) {
        self.control(0);
    }

    /// Has a function that was left with MSI-X on use its pin: a reset of the device
    /// is none of the function.
    pub(crate) fn leave(registers: &R, place: &MsixPlace) {
        let control = registers.read_config(place.capability);
        if control & ENABLE != 0 {
            registers.write_config(place.capability, control & !ENABLE);
        }
    }

    fn checked(&self, vector: u32) -> Result<u64, InterruptError> {
        (vector < self.vectors)
            .then(|| self.entry(vector))
            .ok_or(InterruptError::Vector(vector))
    }

    fn entry(&self, vector: u32) -> u64 {
        self.place.offset + u64::from(vector) * ENTRY
    }

    /// Address, then data with a control that unmasks: two writes of 64 bits.
    fn write(&self, entry: u64, message: Message) {
        let Message { address, data } = message;
        let bar = self.place.bar;
        self.registers.write(bar, entry, address, 8);
        self.registers.write(bar, entry + DATA, u64::from(data), 8);
    }

    fn write_control(&self, entry: u64, value: u64) {
        self.registers
            .write(self.place.bar, entry + CONTROL, value, 4);
    }

    /// Writes are posted; a read comes after them.
    fn flush(&self, entry: u64) {
        self.registers.read(self.place.bar, entry + CONTROL, 4);
    }

    fn control(&self, bits: u32) {
        let others = self.place.control & !(ENABLE | MASK_ALL);
        self.registers
            .write_config(self.place.capability, others | bits);
    }
}
