// SPDX-License-Identifier: Apache-2.0 OR MIT
//! For a VMM that emulates MSI-X itself: what its guest has written, told vector by
//! vector instead of as accesses.

use ims::message::Message;
use ims::msix::layout::{ENABLE, ENTRY_BYTES, FUNCTION_MASK, VECTOR_MASK, WRITABLE_BYTE};

use super::device::MsixDevice;
use super::trigger::NoSuchVector;
use crate::vm::Vm;

/// Where vector control is in a table entry.
const CONTROL: u64 = 12;

impl<V: Vm> MsixDevice<V> {
    /// Gives `vector` this message and mask. A raise meanwhile goes out with the old
    /// message or the new one; what is pending is sent if it is masked no longer.
    ///
    /// # Errors
    /// There is no such vector.
    pub fn program(
        &mut self,
        vector: u16,
        message: Message,
        masked: bool,
    ) -> Result<(), NoSuchVector> {
        self.check(vector)?;
        let at = u64::from(vector) * ENTRY_BYTES;
        // The address goes first and by itself, so nobody may look meanwhile.
        if self
            .vector(vector)
            .is_some_and(|view| !view.masked && view.message != message)
        {
            self.write_table(at + CONTROL, &VECTOR_MASK.to_le_bytes());
        }
        let control = if masked { VECTOR_MASK } else { 0 };
        let words = [
            message.address,
            u64::from(control) << 32 | u64::from(message.data),
        ];
        self.write_table(at, words.map(u64::to_le_bytes).as_flattened());
        Ok(())
    }

    /// Enables or disables MSI-X.
    pub fn set_enabled(&mut self, enabled: bool) {
        self.set_control(enabled, self.function_masked());
    }

    /// Masks or unmasks the whole function.
    pub fn set_function_masked(&mut self, masked: bool) {
        self.set_control(self.enabled(), masked);
    }

    fn set_control(&mut self, enabled: bool, masked: bool) {
        let enable = if enabled { ENABLE } else { 0 };
        let mask = if masked { FUNCTION_MASK } else { 0 };
        let [_, byte] = (enable | mask).to_le_bytes();
        // A capability has twelve bytes.
        let at = u16::try_from(WRITABLE_BYTE).unwrap_or_default();
        self.write_config(at, &[byte]);
    }
}
