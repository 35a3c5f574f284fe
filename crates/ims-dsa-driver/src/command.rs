// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands: written, waited for, and judged by CMDSTATUS.

use std::thread;
use std::time::{Duration, Instant};

use ims_dsa::layout::command::{Command, CommandRegister, CommandStatus, HandleOperand};
use ims_dsa::layout::registers::{CMD, CMDSTATUS, INTCAUSE, cause};

use crate::driver::Driver;
use crate::error::DriverError;

/// Longer than a device takes that does not wait for anybody.
const PATIENCE: Duration = Duration::from_secs(20);

/// The vector of commands.
const MISC: u16 = 0;

impl Driver {
    /// Executes a command; its result.
    ///
    /// With vectors it sleeps until the interrupt, as a kernel does; without, it
    /// looks again and again.
    ///
    /// # Errors
    /// [`DriverError::Command`] if the device refuses.
    pub fn command(&mut self, command: Command, operand: u32) -> Result<u16, DriverError> {
        let sleeps = self.vectors.count() > 0;
        self.begin(command, operand, sleeps)?;
        if sleeps {
            self.sleep_for_command()?;
        }
        self.end(command)
    }

    /// Writes a command and does not wait.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn begin(
        &mut self,
        command: Command,
        operand: u32,
        interrupt: bool,
    ) -> Result<(), DriverError> {
        let register = CommandRegister::new()
            .with_command(command as u8)
            .with_operand(operand)
            .with_interrupt(interrupt);
        self.write32(CMD, register.into())
    }

    /// Whether a command is still active.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn is_active(&mut self) -> Result<bool, DriverError> {
        Ok(CommandStatus::from(self.read32(CMDSTATUS)?).active())
    }

    /// Waits until the command has ended; its result.
    ///
    /// # Errors
    /// [`DriverError::Command`] if the device refused it.
    pub fn end(&mut self, command: Command) -> Result<u16, DriverError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = CommandStatus::from(self.read32(CMDSTATUS)?);
            if !status.active() {
                return match status.error() {
                    0 => Ok(status.result()),
                    error => Err(DriverError::Command {
                        command: command as u8,
                        error,
                    }),
                };
            }
            if Instant::now() > deadline {
                return Err(DriverError::Late("end a command"));
            }
            thread::yield_now();
        }
    }

    fn sleep_for_command(&mut self) -> Result<(), DriverError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(DriverError::Late("interrupt at the end of a command"));
            }
            self.vectors.wait(MISC, left)?;
            let causes = self.read32(INTCAUSE)?;
            if causes & cause::COMMAND != 0 {
                return self.write32(INTCAUSE, cause::COMMAND);
            }
        }
    }

    /// The handle of an interrupt.
    ///
    /// # Errors
    /// [`DriverError::Command`].
    pub fn request_handle(&mut self, index: u16, ims: bool) -> Result<u16, DriverError> {
        let operand = HandleOperand::new().with_number(index).with_ims(ims);
        self.command(Command::RequestHandle, operand.into())
    }

    /// Gives a handle back.
    ///
    /// # Errors
    /// [`DriverError::Command`].
    pub fn release_handle(&mut self, handle: u16, ims: bool) -> Result<(), DriverError> {
        let operand = HandleOperand::new().with_number(handle).with_ims(ims);
        self.command(Command::ReleaseHandle, operand.into())?;
        Ok(())
    }
}
