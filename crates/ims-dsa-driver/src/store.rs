// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Interrupt Message Store of a function that its driver owns: which message
//! each entry sends.

use ims_dsa::layout::registers::{IMS_UNIT, OFFSET_UNIT};
use ims_dsa::layout::tables::{IMS_CONTROL, IMS_ENTRY_SIZE, ImsControl};

use crate::driver::{Driver, REGISTERS};
use crate::error::DriverError;
use crate::messages::Delivered;

impl Driver {
    /// Entries of its store; 0 where it has none that software programs.
    pub fn entries(&self) -> u32 {
        u32::from(self.facts.general.ims_size()) * IMS_UNIT
    }

    /// Programs an entry in one access: what it sends, and how.
    ///
    /// # Errors
    /// [`DriverError::Device`] if there is no such entry.
    pub fn program(
        &mut self,
        index: u16,
        message: Delivered,
        control: ImsControl,
    ) -> Result<(), DriverError> {
        let at = self.entry(index)?;
        let words = u128::from(message.address)
            | u128::from(message.data) << 64
            | u128::from(u32::from(control)) << 96;
        self.link.write(REGISTERS, at, &words.to_le_bytes())
    }

    /// An entry's control word: its mask, and whether an interrupt is kept.
    ///
    /// # Errors
    /// As [`Driver::program`].
    pub fn entry_control(&mut self, index: u16) -> Result<ImsControl, DriverError> {
        let at = self.entry(index)?;
        Ok(self.read32(at + IMS_CONTROL)?.into())
    }

    /// Writes an entry's control word and leaves its message.
    ///
    /// # Errors
    /// As [`Driver::program`].
    pub fn set_entry_control(
        &mut self,
        index: u16,
        control: ImsControl,
    ) -> Result<(), DriverError> {
        let at = self.entry(index)?;
        self.write32(at + IMS_CONTROL, control.into())
    }

    /// Where an entry is in BAR 0.
    fn entry(&self, index: u16) -> Result<u64, DriverError> {
        if u32::from(index) >= self.entries() {
            return Err(DriverError::Device("its store has no such entry"));
        }
        let table = u64::from(self.facts.offsets.ims()) * OFFSET_UNIT;
        Ok(table + u64::from(index) * IMS_ENTRY_SIZE)
    }
}
