// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands about interrupt handles.

use super::Front;
use super::command::Active;
use crate::client::InterruptTable;
use crate::layout::command::HandleOperand;

impl Front {
    /// Request Interrupt Handle.
    pub(super) fn request_handle(&self, active: Active, operand: u32) {
        let operand = HandleOperand::from_bits(operand);
        let handle = self
            .machine
            .request_handle(table(operand), operand.number());
        self.end_command(active, handle);
    }

    /// Release Interrupt Handle.
    pub(super) fn release_handle(&self, active: Active, operand: u32) {
        let operand = HandleOperand::from_bits(operand);
        let released = self
            .machine
            .release_handle(table(operand), operand.number());
        self.end_command(active, released.map(|()| 0));
    }
}

fn table(operand: HandleOperand) -> InterruptTable {
    if operand.ims() {
        InterruptTable::Ims
    } else {
        InterruptTable::MsiX
    }
}
