// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Config space: what turns a device on, and what resets it as a whole.

use ims_vfio::layout::region;
use ims_vfio::pci::layout::{capability, command, express, header};

use crate::driver::Driver;
use crate::error::DriverError;
use crate::link::Link;

/// Capabilities a function can have at most: config space has no room for more.
const MOST_CAPABILITIES: usize = 48;

impl Driver {
    /// Does again what a reset of the function takes back: memory and bus mastering
    /// are turned on, vectors have their triggers, errors and halts interrupt.
    /// Queues, handles and the device's being enabled are for the caller.
    ///
    /// # Errors
    /// [`DriverError`].
    pub fn restart(&mut self) -> Result<(), DriverError> {
        turn_on(&mut self.link)?;
        if self.vectors.count() == 0 {
            return Ok(());
        }
        self.vectors.give(&mut self.link)?;
        self.interrupt_at_errors()
    }

    /// Resets the function by its PCI Express capability, as
    /// [`Link::reset`] does by the transport. The device touches no memory any more
    /// when this returns. Maps stay; all else is as after power-on, until
    /// [`Driver::restart`].
    ///
    /// # Errors
    /// [`DriverError::Device`] if it has no such capability.
    pub fn function_level_reset(&mut self) -> Result<(), DriverError> {
        let at = match self.device_control {
            Some(at) => at,
            None => express_capability(&mut self.link)? + u64::from(express::DEVICE_CONTROL),
        };
        self.device_control = Some(at);
        // Its other bits are reset with all else.
        let control = express::INITIATE_RESET.to_le_bytes();
        self.link.write(region::CONFIG, at, &control)
    }
}

/// Turns memory and bus mastering on.
pub(crate) fn turn_on(link: &mut Link) -> Result<(), DriverError> {
    let on = command::MEMORY | command::BUS_MASTER;
    link.write(region::CONFIG, header::COMMAND.into(), &on.to_le_bytes())
}

/// 16 bits of config space.
fn config(link: &mut Link, at: u64) -> Result<u16, DriverError> {
    let mut bytes = [0; 2];
    link.read(region::CONFIG, at, &mut bytes)?;
    Ok(u16::from_le_bytes(bytes))
}

/// Where the PCI Express capability is.
fn express_capability(link: &mut Link) -> Result<u64, DriverError> {
    let [mut next, _] = config(link, header::CAPABILITIES.into())?.to_le_bytes();
    // A list that leads back to itself ends, too.
    for _ in 0..MOST_CAPABILITIES {
        if next == 0 {
            break;
        }
        let at = u64::from(next);
        let [id, link_to] = config(link, at)?.to_le_bytes();
        if id == capability::EXPRESS {
            return Ok(at);
        }
        next = link_to;
    }
    Err(DriverError::Device("it has no PCI Express capability"))
}
